import type { BufferSpec, Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { blockRowsOf } from './row-blocks.ts'

/** How a workgroup of a product of a decode step works. */
export interface StepTile {
  subgroups: number
  /** Blocks of 16 columns that a subgroup makes. */
  columnBlocks: number
  /** k that a subgroup loads at once. */
  depth: number
  /**
   * What the subgroups divide. With k they take turns at its steps, and their sums meet in workgroup memory. With
   * columns each makes its own, and the rows go through workgroup memory, read once for all: for many rows.
   */
  divide: 'k' | 'columns'
}

/** The sizes that follow from a tile and the rows. Vectors are 8 float16 of a factor, or 4 float32 of a sum. */
export interface ProductLayout extends StepTile {
  byColumns: boolean
  native: boolean
  lanes: number
  /** Rows of a block. */
  high: 8 | 16
  /** Blocks of all rows, and of those that a workgroup makes. */
  allBlocks: number
  rowBlocks: number
  tileRows: number
  /** Vectors of a row in a step. */
  wide: number
  /** Rows that a subgroup brings at once, and how often it does so in a step. */
  down: number
  chunks: number
  /** Vectors from row to row of the weights in workgroup memory, against bank conflicts. */
  pitch: number
  /** Vectors of a subgroup's weights there, of a block of its sums, and of all its sums. */
  staged: number
  block: number
  sums: number
  /** Vectors of a step's rows, and how many a lane brings. */
  rowVectors: number
  rowChunks: number
  /** Steps that the subgroups make in a turn. */
  stepsOfTurn: number
  /** Whether turns need no look at where the rows end. */
  isWhole: boolean
  columnGroups: number
  grid: number
  /** Params that are the same for all calls, and WGSL for each of them. */
  extents: Readonly<Record<Extent, number>>
  known: Readonly<Record<Extent, string>>
  /** WGSL: how many blocks of rows there are. */
  rowBlocksHere: string
}

/** `sharers` are subgroups whose sums meet; `square_groups` how many lanes sum the squares of one row. */
type Extent = 'inner' | 'turns' | 'steps' | 'k_blocks' | 'sharers' | 'square_parts' | 'square_groups'

export function productLayout({
  target,
  tile,
  rows,
  inner,
  columnTiles,
  squares,
  norm,
  tiled,
}: StepProduct): ProductLayout {
  const { subgroups, columnBlocks, depth, divide } = tile
  const byColumns = divide === 'columns'
  if (byColumns && columnTiles % subgroups !== 0)
    throw new Error(`decode: ${columnTiles} tiles of columns must be a multiple of ${subgroups} subgroups`)
  if (tiled && inner % depth !== 0)
    throw new Error(`decode: ${inner} k of weights in tiles must be a multiple of the depth ${depth}`)
  const lanes = subgroups * 32
  const high = blockRowsOf(rows)
  const allBlocks = Math.ceil(rows / high)
  const rowBlocks = allBlocks <= 1 ? 1 : allBlocks <= 2 ? 2 : 4
  const tileRows = rowBlocks * high
  if (lanes % tileRows !== 0)
    throw new Error(`decode: ${subgroups} subgroups must not be fewer than ${tileRows} rows need`)
  const wide = depth / 8
  const down = 32 / wide
  const pitch = wide + 1
  const block = high * 4
  const rowVectors = (depth / 16) * rowBlocks * high * 2
  const native = target.units === 'native'
  const stepsOfTurn = byColumns ? 1 : subgroups
  const columnGroups = columnTiles / (byColumns ? subgroups : 1)
  const extents = {
    inner: inner / 8,
    turns: Math.ceil(inner / depth / stepsOfTurn),
    steps: Math.ceil(inner / depth),
    k_blocks: inner / 16,
    sharers: byColumns ? 1 : subgroups,
    square_parts: norm ? squares.shape[0] - 1 : 0,
    square_groups: lanes / tileRows,
  }
  // Drivers of GPUs make better code with known extents; software drivers unroll what they know and compile for minutes.
  const known = (name: Extent) => (native ? `${extents[name]}u` : `params.${name}`)
  return {
    ...{ ...tile, byColumns, native, lanes, high, allBlocks, rowBlocks, tileRows, wide, down, pitch, block },
    chunks: (columnBlocks * 16) / down,
    staged: columnBlocks * 16 * pitch,
    sums: columnBlocks * rowBlocks * block,
    rowVectors,
    rowChunks: Math.ceil(rowVectors / lanes),
    stepsOfTurn,
    columnGroups,
    extents,
    isWhole: inner % (depth * stepsOfTurn) === 0,
    grid: columnGroups * Math.ceil(allBlocks / rowBlocks),
    known: {
      inner: known('inner'),
      turns: known('turns'),
      steps: known('steps'),
      k_blocks: known('k_blocks'),
      sharers: known('sharers'),
      square_parts: known('square_parts'),
      square_groups: known('square_groups'),
    },
    rowBlocksHere: native && allBlocks === 1 ? '1u' : 'params.row_blocks',
  }
}
/** The weights of a product, and which of them each tile of columns has. */
export interface StepWeights {
  name: string
  tile: StepTile
  /** Extent of the sums. */
  inner: number
  /** Columns by tiles, each of which a workgroup makes, or a subgroup where these divide the columns. */
  columnTiles: number
  /**
   * Weights (outputs, inner) by part: the first and the second half of a tile's columns read rows of these buffers,
   * from `first` and `second` on. Only where subgroups divide k there may be several parts.
   */
  weights: readonly (readonly [string, string])[]
  /** The tensors of these names: float16, or float32 to make tiles of. */
  tensors: Readonly<Record<string, Tensor>>
  /** Rows of the weights, where tiles may go beyond. */
  weightRows?: number
  /** WGSL that from `column_tile` makes `let part`, `let first` and `let second`, and the params that it uses. */
  locate: string
  params?: Readonly<Record<string, number>>
  types?: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>
}

export interface StepProduct extends StepWeights {
  target: Target
  rows: number
  /** Results of a row in a tile: a lane finishes one at a time. */
  results: number
  /** The weights in tiles, of `tileWeights`; without them they are read as they are. */
  tiled?: Tensor | undefined
  /**
   * WGSL for the result of `row` and `column` in the tile, the names of which end in the suffix: loads that need no
   * sums, made before them, of any `row` below `tile_rows`.
   */
  prepare(suffix: string): string
  /** WGSL for the same result, with `sum_of(row, column)` and `scale_of(row)`; its row may be none of the rows. */
  finish(suffix: string): string
  /** WGSL after all results, for all lanes. */
  after?: string
  functions?: string
  /** Without the weights. */
  buffers: Readonly<Record<string, BufferSpec & { tensor: Tensor }>>
  /** Blocks of the rows, bound as `x`. */
  x: Tensor
  /**
   * What `scale_of` says, bound as `squares`: with `norm`, how the exact scale of the rows' norm differs from the one they
   * were written with, found from sums of squares; the exact one is left in `scales` too. Else the number there.
   */
  squares: Tensor
  norm?: { size: number; epsilon: number; scales: Tensor }
}
