import { type BufferSpec, type Kernel, kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { productLayout, type StepProduct } from './product-tile.ts'
import { productWgsl } from './product-wgsl.ts'

// Products of a decode step: few rows, one of each sequence, times the weights of a layer. All time goes into reading weights, so
// each is read once, in whole lines, 16 bytes a lane, by way of workgroup memory to the matrix units, while the next are on
// their way. The weights are the left factor, so sums are transposed:
//
//                        k                               rows
//              ┌────┬────┬────┬────┐                  ┌────────┐
//   16 columns │ s0 │ s1 │ s0 │ s1 │ weights  times   │  sums  │   divide: 'k'        subgroups take turns at steps of k; their
//              └────┴────┴────┴────┘                  └────────┘                      sums are added up in workgroup memory
//              ┌───────────────────┐                  ┌────────┐
//   16 columns │ s0                │                  │ s0     │   divide: 'columns'  each subgroup its own columns; rows go
//   16 columns │ s1                │                  │ s1     │                      through workgroup memory, once for all
//              └───────────────────┘                  └────────┘
//
// Norms are merged into products: the writer of a row cannot know the row's norm yet, so it scales the row by the last step's
// scale and leaves sums of squares, and the reader multiplies its sums by exact scale / used scale.
//
//   product-table.ts   measured tiles          product-wgsl.ts   the shader, phase by phase
//   product-tile.ts    sizes of a tile         projections.ts, query-key-value.ts   the products of a layer
//
// The references are plain loops in test/kernels/decode/projections.

/** Rows that were scaled by an estimate of their norm, and what gives the exact one; see `squaresOf`. */
export interface Normed {
  /** Blocks of x · gain · the scale used; see `blocksOf`. */
  rows: Tensor
  squares: Tensor
  /** (padded rows), out: the exact scales, which the writer of the next rows scales by. */
  scales: Tensor
  /** Numbers of a row. */
  size: number
  epsilon: number
}

/** A product's kernel, its call and its grid. */
export interface Recorded {
  kernel: Kernel
  params: Record<string, number>
  buffers: Record<string, Tensor>
  grid: number
}

/**
 * The kernel and the call of a product of few rows: sum(row, column) = Σ over k of x[row, k] · weight[column, k], finished
 * by the WGSL that `of` brings. Throws when the tile does not fit the sizes.
 */
export function stepProduct(of: StepProduct): Recorded {
  const { target, rows, squares, norm } = of
  const layout = productLayout(of)
  const units = matrixBlocks(target.units, {
    left: [{ array: of.tiled ? 'weight_tiles' : 'tile', fast: 'k' }],
    right: [{ array: layout.byColumns ? 'row_tile' : 'x', fast: 'k' }],
    width: layout.high,
    tiles: ['tile'],
  })
  const weights = of.tiled
    ? { weight_tiles: toRead('vec4u', of.tiled) }
    : Object.fromEntries(Object.entries(of.tensors).map(([key, tensor]) => [key, toRead('vec4u', tensor)]))
  const own = Object.entries({ ...weights, ...of.buffers })
  const read = (element: string): BufferSpec => ({ element, access: 'read' })
  const u32 = 'u32' as const
  const specs: Record<string, BufferSpec> = { x: read('vec4u'), squares: read('f32') }
  if (norm) specs.exact_scales = { element: 'f32', access: 'write' }
  for (const [key, { element, access }] of own) specs[key] = { element, access }
  const types: Record<string, 'u32' | 'i32' | 'f32'> = {
    rows: u32,
    row_blocks: u32,
    column_groups: u32,
    normed: u32,
    epsilon: 'f32',
    ...Object.fromEntries(Object.keys(layout.extents).map(name => [name, u32])),
    ...of.types,
  }
  return {
    kernel: kernel({
      name: `${of.name}${of.tiled ? '_tiled' : ''}_${layout.tileRows}x${layout.columnBlocks * 16}_${layout.subgroups}${layout.byColumns ? 'c' : 'k'}${layout.depth}`,
      // Subgroups that divide k may have different numbers of steps, each the same for all of its lanes.
      enables: layout.native
        ? `${units.enables}\ndiagnostic(off, chromium.subgroup_matrix_uniformity);`
        : 'enable f16;',
      params: types,
      buffers: specs,
      code: productWgsl(of, layout, units),
    }),
    params: {
      rows,
      row_blocks: layout.allBlocks,
      column_groups: layout.columnGroups,
      normed: norm?.size ?? 1,
      epsilon: norm?.epsilon ?? 0,
      ...layout.extents,
      ...of.params,
    },
    buffers: {
      x: of.x,
      squares,
      ...(norm && { exact_scales: norm.scales }),
      ...Object.fromEntries(own.map(([key, { tensor }]) => [key, tensor])),
    },
    grid: layout.grid,
  }
}

/** The part of a `StepProduct` that describes normed rows. */
export const normedRows = (x: Normed) => ({ x: x.rows, inner: x.size, squares: x.squares, norm: x })

/** Bindings of tensors that the product's own WGSL reads or writes. */
export const toRead = (element: string, tensor: Tensor) => ({ element, access: 'read', tensor }) as const
export const toWrite = (element: string, tensor: Tensor) => ({ element, access: 'write', tensor }) as const

/** The counter of numbers that the product's own WGSL clamps to float16's range, where the recording has one. */
export const countedIn = ({ saturated }: Recording) =>
  saturated ? { saturated: toWrite('atomic<u32>', saturated) } : {}
