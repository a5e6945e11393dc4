import type { BufferSpec, Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { blockRowsOf } from './row-blocks.ts'

/** How the workgroups of a product of a decode step work. */
export type StepTile = TileOfK | TileOfColumns

/** Subgroups take turns at steps of k, and their sums meet in workgroup memory: for few rows. */
export interface TileOfK {
  divide: 'k'
  subgroups: number
  /** Blocks of 16 columns that a workgroup makes. */
  columnBlocks: number
  /** k that a subgroup loads at once. */
  depth: number
}

/** Each subgroup makes its own columns, and the rows go through workgroup memory, read once for all: for many rows. */
export interface TileOfColumns {
  divide: 'columns'
  subgroups: number
  /** Blocks of 16 columns that a subgroup makes. */
  columnBlocks: number
  /** k of its weights that a subgroup asks for at once. */
  depth: number
  /** k of the rows that a workgroup brings at once, a multiple of `depth`. */
  rowDepth: number
  /** Workgroups that divide k; if several, another kernel adds their sums up. */
  splits: number
}

/** A product of a decode step, and how its columns lie in tiles. */
export interface StepShape {
  name: string
  tile: StepTile
  /** Extent of the sums. */
  inner: number
  /** Tiles of columns; a workgroup makes one where subgroups divide k, and else each subgroup makes `columnBlocks`. */
  columnTiles: number
  /** WGSL that from `column_tile` makes `let part`, `let first` and `let second`, and the params that it uses. */
  locate: string
  params?: Readonly<Record<string, number>>
  types?: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>
}

/** Blocks of 16 columns in a tile of a product's columns. */
export const blocksOfTile = (tile: StepTile): number => (tile.divide === 'k' ? tile.columnBlocks : 1)

/** Workgroups that divide k. */
export const splitsOf = (tile: StepTile): number => (tile.divide === 'k' ? 1 : tile.splits)

/** The sums of a product. */
export interface StepSums extends StepShape {
  rows: number
  /** Blocks of the rows, bound as `x`. */
  x: Tensor
  /** The weights in tiles; see tiled-weights.ts. */
  tiled: Tensor
}

/** A product with the ends of its sums. */
export interface StepProduct extends StepSums {
  /** Results of a row in a tile: a lane finishes one at a time. */
  results: number
  /**
   * WGSL for the result of `row` and `column` in the tile, the names of which end in the suffix: loads that need no
   * sums, made before them, of any `row` below `tile_rows`.
   */
  prepare(suffix: string): string
  /** WGSL for the same result, with `sum_of(row, column)` and `scale_of(row)`; its row may be none of the rows. */
  finish(suffix: string): string
  /** WGSL after all results, for all lanes. Only where subgroups divide k. */
  after?: string
  functions?: string
  /** Without the weights. */
  buffers: Readonly<Record<string, BufferSpec & { tensor: Tensor }>>
  /**
   * What `scale_of` says, bound as `squares`: with `norm`, how the exact scale of the rows' norm differs from the one they
   * were written with, found from sums of squares; the exact one is left in `scales` too. Else the number there. Without
   * squares it is 1.
   */
  squares?: Tensor | undefined
  norm?: { size: number; epsilon: number; scales: Tensor } | undefined
}

/** With the target. */
export type On<Of> = Of & { target: Target }

/** Bindings by name, in order. */
export type Bindings = Readonly<Record<string, BufferSpec & { tensor: Tensor }>>

/** How rows lie in blocks, and how many of them a workgroup takes. */
export interface RowSizes {
  /** Rows of a block. */
  high: 8 | 16
  /** Blocks of all rows, and of those that a workgroup makes. */
  allBlocks: number
  rowBlocks: number
  tileRows: number
}

export function rowSizes(rows: number): RowSizes {
  const high = blockRowsOf(rows)
  const allBlocks = Math.ceil(rows / high)
  const rowBlocks = allBlocks <= 1 ? 1 : allBlocks <= 2 ? 2 : 4
  return { high, allBlocks, rowBlocks, tileRows: rowBlocks * high }
}

/** Throws where a workgroup has fewer lanes than its rows need. */
export function checkLanes({ name, tile }: StepShape, { tileRows }: RowSizes): void {
  if ((tile.subgroups * 32) % tileRows !== 0)
    throw new Error(`${name}: ${tile.subgroups} subgroups must not be fewer than ${tileRows} rows need`)
}

/** Sizes that are the same for all calls of a kernel. */
export interface KnownSizes<Name extends string> {
  params: Readonly<Record<Name, number>>
  types: Readonly<Record<Name, 'u32'>>
  /** WGSL for each of them. */
  wgsl: Readonly<Record<Name, string>>
}

/**
 * Sizes as WGSL. Drivers of GPUs make better code with known sizes; software drivers unroll what they know and compile for
 * minutes.
 */
export function knownSizes<Name extends string>(
  target: Target,
  sizes: Readonly<Record<Name, number>>,
): KnownSizes<Name> {
  const each = <T>(of: (name: Name) => T) =>
    Object.fromEntries((Object.keys(sizes) as Name[]).map(name => [name, of(name)])) as Record<Name, T> // exactly these names
  return {
    params: sizes,
    types: each(() => 'u32' as const),
    wgsl: each(name => (target.units === 'native' ? `${sizes[name]}u` : `params.${name}`)),
  }
}
