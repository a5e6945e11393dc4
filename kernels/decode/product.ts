import { productCut, type StepTile } from './product-tile.ts'
import { productWgsl } from './product-wgsl.ts'
import { matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { type BufferSpec, type Kernel, kernel, type Plan, type Target } from '../plan/plan.ts'
import type { Tensor } from '../device/tensor.ts'

export interface StepProduct {
  target: Target
  name: string
  tile: StepTile
  rows: number
  /** Extent of the sums. */
  inner: number
  /** Columns by tiles, each of which a workgroup makes, or a subgroup where these divide the columns. */
  columnTiles: number
  /** Results of a row in a tile: a lane finishes one at a time. */
  results: number
  /**
   * Weights (outputs, inner) by part: the first and the second half of a tile's columns read rows of these buffers,
   * from `first` and `second` on. Only where subgroups divide k there may be several parts.
   */
  weights: readonly (readonly [string, string])[]
  /** Rows of the weights, where tiles may go beyond. */
  weightRows?: number
  /** WGSL that from `column_tile` makes `let part`, `let first` and `let second`. */
  locate: string
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
  params?: Readonly<Record<string, number>>
  types?: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>
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

/** Rows that were written with a scale of their own and still want their exact norm; see `squaresOf`. */
export interface Normed {
  /** Blocks of x · gain · the scale used; see `blocksOf`. */
  rows: Tensor
  squares: Tensor
  /** (padded rows), out: the exact scales, for who writes the next rows. */
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
 * sum(row, column) = Σ x[row, k] · weight[column, k] for few rows, bound by reading the weights: each is read once, in
 * whole lines, 16 bytes a lane, and goes through workgroup memory to the matrix units, while the next are on their way.
 */
export function stepProduct(of: StepProduct): Recorded {
  const { target, rows, squares, norm } = of
  const cut = productCut(of)
  const units = matrixBlocks(target.units, {
    left: [{ array: 'tile', fast: 'k' }],
    right: [{ array: cut.byColumns ? 'row_tile' : 'x', fast: 'k' }],
    width: cut.high,
    tiles: ['tile'],
  })
  const own = Object.entries(of.buffers)
  const read = (element: string): BufferSpec => ({ element, access: 'read' })
  const u32 = 'u32' as const
  const specs: Record<string, BufferSpec> = { x: read('vec4u'), squares: read('f32') }
  if (norm) specs.exact_scales = { element: 'f32', access: 'write' }
  for (const [key, { element, access }] of own) specs[key] = { element, access }
  const types: Record<string, 'u32' | 'i32' | 'f32'> = {
    ...{ rows: u32, row_blocks: u32, column_groups: u32, normed: u32, epsilon: 'f32' },
    ...Object.fromEntries(Object.keys(cut.extents).map(name => [name, u32])),
    ...of.types,
  }
  return {
    kernel: kernel({
      name: `${of.name}_${cut.tileRows}x${cut.columnBlocks * 16}_${cut.subgroups}${cut.byColumns ? 'c' : 'k'}${cut.depth}`,
      enables: cut.native ? units.enables : 'enable f16;',
      params: types,
      buffers: specs,
      code: productWgsl(of, cut, units),
    }),
    params: {
      ...{ rows, row_blocks: cut.allBlocks, column_groups: cut.columnGroups },
      ...{ normed: norm?.size ?? 1, epsilon: norm?.epsilon ?? 0 },
      ...cut.extents,
      ...of.params,
    },
    buffers: {
      x: of.x,
      squares,
      ...(norm && { exact_scales: norm.scales }),
      ...Object.fromEntries(own.map(([key, { tensor }]) => [key, tensor])),
    },
    grid: cut.grid,
  }
}

/** What of a product says that it is of normed rows. */
export const normedRows = (x: Normed) => ({ x: x.rows, inner: x.size, squares: x.squares, norm: x })

/** A tensor that the product's own WGSL reads, or writes. */
export const toRead = (element: string, tensor: Tensor) => ({ element, access: 'read', tensor }) as const
export const toWrite = (element: string, tensor: Tensor) => ({ element, access: 'write', tensor }) as const

/** Where the product's own WGSL counts what it cuts to float16's range, if the plan counts. */
export const countedIn = ({ saturated }: Plan) =>
  saturated ? { saturated: toWrite('atomic<u32>', saturated) } : {}
