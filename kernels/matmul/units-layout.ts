import { unroll } from '../wgsl/text.ts'
import { blockOfHalves, chunkLoads, isQuick, type Side } from './chunks.ts'
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
  /** Rows of tiles that workgroups go through together, by default 8. */
  band?: number
  /** The last products of a step are made while the next one comes to workgroup memory: takes more registers. */
  isOver?: boolean
}

export const rowsOf = (tile: UnitTile): number => tile.rowSubgroups * tile.rowBlocks * 16
export const columnsOf = (tile: UnitTile): number => tile.columnSubgroups * tile.columnBlocks * 16

/** Whether tiles that would reach past the end of the result can be moved back inside it, and still start at a whole vector. */
export function liesInside(
  { form, rows, columns, inner }: { form: Variant['form']; rows: number; columns: number; inner: number },
  tile: UnitTile,
): boolean {
  const starts = { nt: columns % 4, nn: columns % 8, tn: (rows % 8) + (columns % 8) }
  const isLarge = rows >= rowsOf(tile) && columns >= columnsOf(tile) && inner >= tile.depth
  return isLarge && starts[form] === 0
}

export type UnitLayout = ReturnType<typeof layoutOf>

/** Sizes of a tile, and where things lie in workgroup memory, in vectors: a at 0, b after it; later strips of results. */
export function layoutOf(variant: Variant, tile: UnitTile) {
  const { rowSubgroups, columnSubgroups, rowBlocks, columnBlocks, depth, parts = 1 } = tile
  const [tileRows, tileColumns] = [rowsOf(tile), columnsOf(tile)]
  const subgroups = rowSubgroups * columnSubgroups
  const lanes = subgroups * parts * 32
  const fastA: Side['fast'] = variant.form === 'tn' ? 'index' : 'k'
  const fastB: Side['fast'] = variant.form === 'nt' ? 'k' : 'index'
  const { oneTensor, aVector, bVector, types, isInside = false, wholeInner } = variant
  const { inner = 0 } = variant.fixed
  const edges = { isInside, wholeInner, isExact: inner > 0 && inner % depth === 0 }
  const read = { a: { vector: aVector, type: types.a }, b: { vector: bVector, type: types.b } }
  const givenA: Side = { name: 'a', fast: fastA, extent: tileRows, depth, lanes, ...read.a, ...edges }
  const ofB = oneTensor ? read.a : read.b
  const givenB: Side = { name: 'b', fast: fastB, extent: tileColumns, depth, lanes, ...ofB, ...edges }
  // A last step that goes back must do so in both factors.
  const areQuick = isQuick(givenA) && isQuick(givenB)
  const [sideA, sideB] = [givenA, givenB].map(side => ({ ...side, isInside: areQuick }))
  const a = chunkLoads(sideA, 'a', 0)
  const b = chunkLoads(sideB, oneTensor ? 'a' : 'b', blockOfHalves(sideA).vectors)
  const stripPitch = tileColumns / 4 + 1
  const stripVectors = rowSubgroups * 16 * stripPitch
  return {
    rowSubgroups,
    rowBlocks,
    columnBlocks,
    depth,
    parts,
    isExact: edges.isExact,
    band: tile.band ?? 8,
    isOver: tile.isOver ?? false,
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
