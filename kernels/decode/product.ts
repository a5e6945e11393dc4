import { type BufferSpec, type Kernel, kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { productCut, type StepProduct } from './product-tile.ts'
import { productWgsl } from './product-wgsl.ts'

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
export const countedIn = ({ saturated }: Recording) =>
  saturated ? { saturated: toWrite('atomic<u32>', saturated) } : {}
