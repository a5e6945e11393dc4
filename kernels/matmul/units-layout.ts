import { unroll } from '../wgsl/text.ts'
import { blockOfHalves, chunkLoads, type Side } from './chunks.ts'
import type { Variant } from './variant.ts'

/** How a workgroup's tile of the result is divided: subgroups over rows and columns, and each one's 16 × 16 blocks. */
export interface UnitTile {
  rowSubgroups: number
  columnSubgroups: number
  rowBlocks: number
  columnBlocks: number
  /** k that are in workgroup memory at a time. */
  depth: number
  /** How often the subgroups are there, each time for its part of those k; by default once. */
  parts?: number
}

export type UnitLayout = ReturnType<typeof layoutOf>

/** Sizes of a tile, and where things lie in workgroup memory, in vectors: a at 0, b after it; later strips of results. */
export function layoutOf(variant: Variant, tile: UnitTile) {
  const { rowSubgroups, columnSubgroups, rowBlocks, columnBlocks, depth, parts = 1 } = tile
  const tileRows = rowSubgroups * rowBlocks * 16
  const tileColumns = columnSubgroups * columnBlocks * 16
  const subgroups = rowSubgroups * columnSubgroups
  const lanes = subgroups * parts * 32
  const fastA: Side['fast'] = variant.form === 'tn' ? 'index' : 'k'
  const fastB: Side['fast'] = variant.form === 'nt' ? 'k' : 'index'
  const { oneTensor, aVector, bVector, types } = variant
  const read = { a: { vector: aVector, type: types.a }, b: { vector: bVector, type: types.b } }
  const sideA: Side = { name: 'a', fast: fastA, extent: tileRows, depth, lanes, ...read.a }
  const ofB = oneTensor ? read.a : read.b
  const sideB: Side = { name: 'b', fast: fastB, extent: tileColumns, depth, lanes, ...ofB }
  const [a, b] = [chunkLoads(sideA, 0), chunkLoads(sideB, blockOfHalves(sideA).vectors)]
  const stripPitch = tileColumns / 4 + 1
  const stripVectors = rowSubgroups * 16 * stripPitch
  return {
    rowSubgroups,
    rowBlocks,
    columnBlocks,
    depth,
    parts,
    tileRows,
    tileColumns,
    subgroups,
    lanes,
    fastA,
    fastB,
    sideA,
    sideB,
    a,
    b,
    stripPitch,
    stripVectors,
    vectors: Math.max(a.vectors + b.vectors, parts * stripVectors),
    sums: unroll(rowBlocks, i => unroll(columnBlocks, j => `sums${i}_${j}`)),
    /** Steps of 16 k that a set of subgroups makes of a step. */
    kOfPart: depth / 16 / parts,
  }
}
