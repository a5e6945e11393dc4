import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { partsByColumns, productByColumns } from './product-by-columns.ts'
import { productByK } from './product-by-k.ts'
import type { StepProduct, StepSums } from './product-tile.ts'
import { partsOf, splitSums } from './split-sums.ts'

// Products of a decode step: few rows, one of each sequence, times the weights of a layer. All time goes into reading weights, so
// each is read once, in blocks that lie side by side in memory (tiled-weights.ts), which matrix units load straight from there
// while they multiply the ones before. The weights are the left factor, so sums are transposed:
//
//                        k                               rows
//              ┌────┬────┬────┬────┐                  ┌────────┐
//   16 columns │ s0 │ s1 │ s0 │ s1 │ weights  times   │  sums  │   product-by-k.ts        subgroups take turns at steps of k; their
//              └────┴────┴────┴────┘                  └────────┘                          sums are added up in workgroup memory
//              ┌───────────────────┐                  ┌────────┐
//   16 columns │ s0                │                  │ s0     │   product-by-columns.ts  each subgroup its own columns; rows go
//   16 columns │ s1                │                  │ s1     │                          through workgroup memory, once for all
//              └───────────────────┘                  └────────┘
//
// Norms are merged into products: a workgroup that writes a part of a row cannot know the row's norm yet, so it scales the row
// by the last norm's scale and leaves sums of squares, and the reader multiplies its sums by exact scale / used scale.
//
//   product-table.ts   measured tiles          product-ends.ts, split-sums.ts   from sums to results
//   product-tile.ts    sizes of a tile         projections.ts, query-key-value.ts   the products of a layer; head-norms.ts   what
//                                              follows the latter in Qwen3
//
// The references are plain loops in test/kernels/decode/projections.

/** Rows that were scaled by their norm, or by an estimate of it. */
export interface Normed {
  /** Blocks of x · gain · the scale used; see `blocksOf`. */
  rows: Tensor
  /** If the scale is an estimate: what gives the exact one; see `squaresOf`. */
  squares?: Tensor | undefined
  /** (padded rows): the exact scales, by which the writer of the next rows estimates; their reader fills it from the squares. */
  scales: Tensor
  /** Numbers of a row. */
  size: number
  epsilon: number
}

/**
 * Records a product of few rows: sum(row, column) = Σ over k of x[row, k] · weight[column, k], finished by the WGSL that
 * `of` brings. Throws when the tile does not fit the sizes.
 */
export function stepProduct(recording: Recording, of: StepProduct): void {
  const { tile } = of
  const product = { ...of, target: recording.target }
  if (tile.divide === 'columns' && tile.splits > 1) {
    const parts = stepParts(recording, of)
    const { kernel, ...call } = splitSums(product, parts)
    recording.dispatch(kernel, call)
    return
  }
  const { kernel, ...call } =
    tile.divide === 'k' ? productByK(product, tile) : productByColumns(product, tile)
  recording.dispatch(kernel, call)
}

/** Records only the sums of a product whose subgroups divide the columns, by split. */
export function stepParts(
  recording: Recording,
  of: StepSums,
  parts: Tensor = recording.tensor('parts of sums', partsOf(of)),
): Tensor {
  const { tile } = of
  if (tile.divide === 'k') throw new Error(`${of.name}: its subgroups divide k, so there are no parts`)
  const { kernel, ...call } = partsByColumns({ ...of, target: recording.target }, tile, parts)
  recording.dispatch(kernel, call)
  return parts
}

/** The part of a `StepProduct` that describes normed rows. */
export const normedRows = (x: Normed) => {
  const { rows, size, squares } = x
  return { x: rows, inner: size, squares, norm: squares && x }
}

/** Bindings of tensors that the product's own WGSL reads or writes. */
export const toRead = (element: string, tensor: Tensor) => ({ element, access: 'read', tensor }) as const
export const toWrite = (element: string, tensor: Tensor) => ({ element, access: 'write', tensor }) as const

/** The counter of numbers that the product's own WGSL clamps to float16's range, where the recording has one. */
export const countedIn = ({ saturated }: Recording) =>
  saturated ? { saturated: toWrite('atomic<u32>', saturated) } : {}
