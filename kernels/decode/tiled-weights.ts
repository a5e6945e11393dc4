import { type BufferSpec, kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { withinFloat16 } from '../wgsl/float16-stores.ts'
import { blocksOfTile, type StepShape } from './product-tile.ts'

// Weights of decode products in the order in which matrix units read them: blocks of 16 columns by 16 k side by side, 512 bytes
// each, in float16. A block is then loaded straight from memory, in whole lines, without a way through workgroup memory:
//
//   as stored   column 0: k 0 … inner     tiled   columns 0 … 15, k 0 … 15 │ columns 0 … 15, k 16 … 31 │ …
//               column 1: k 0 … inner             columns 16 … 31, k 0 … 15 │ …
//
// The columns follow each other as the product's tiles have them, so tiles serve one product and one width of its tile.

/** The weights of a product, and which of them each tile of columns has. */
export interface StepWeights extends StepShape {
  /**
   * Weights (outputs, inner) by part: the first and the second half of a tile's columns are rows of these tensors, from
   * `first` and `second` on.
   */
  weights: readonly (readonly [string, string])[]
  /** The tensors of these names: float16 or float32. */
  tensors: Readonly<Record<string, Tensor>>
  /** Rows of the weights, where tiles may go beyond. */
  weightRows?: number | undefined
}

/** Numbers of the tiles of a product's weights; those of columns that do not exist are copies of the last column. */
export const tiledSize = ({ columnTiles, tile, inner }: StepWeights): number =>
  columnTiles * blocksOfTile(tile) * 16 * inner

/** Writes the weights, float32 or float16, into a float16 tensor of `tiledSize`. */
export function tileWeights(recording: Recording, of: StepWeights, into: Tensor): void {
  const { name, tile, inner, columnTiles, weights, weightRows, tensors, locate, types, params } = of
  const halves = Object.values(tensors).every(({ type }) => type === 'f16')
  const names = Object.keys(tensors)
  const read: BufferSpec = { element: halves ? 'vec4u' : 'vec4f', access: 'read' } // (columns, inner)
  const columnBlocks = blocksOfTile(tile)
  const row = (half: string) => (weightRows === undefined ? half : `min(${half}, ${weightRows - 1}u)`)
  const load = (array: string, half: string) =>
    halves
      ? `${array}[${row(half)} * params.vectors + vector];`
      : `packed(${array}[(${row(half)} * params.vectors + vector) * 2u], ${array}[(${row(half)} * params.vectors + vector) * 2u + 1u]);`
  const parts = weights.map(
    ([first, second], part) => `if (part == ${part}u) {
      if (column < ${columnBlocks * 8}u) { value = ${load(first, '(first + column)')} }
      else { value = ${load(second, `(second + column - ${columnBlocks * 8}u)`)} }
    }`,
  )
  const buffers: Record<string, BufferSpec> = Object.fromEntries(names.map(each => [each, read]))
  const tiled = kernel<string, string>({
    name: `${name}_weights`,
    params: { vectors: 'u32', count: 'u32', ...types },
    buffers: { ...buffers, into: { element: 'vec4u', access: 'write' } },
    code: `
fn kept(value: vec4f) -> vec4f { return ${withinFloat16('value', 'vec4f')}; }
fn packed(a: vec4f, b: vec4f) -> vec4u {
  let low = kept(a);
  let high = kept(b);
  return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = workgroup_index(id);
  if (index >= params.count) { return; }
  let column_tile = index / ${columnBlocks}u;
  ${locate}
  // Vectors of 8 numbers in the order of the tiles: block of 16 k, column, half of the block.
  for (var to = lane; to < params.vectors * 16u; to += ${lanes}u) {
    let column = index % ${columnBlocks}u * 16u + to / 2u % 16u;
    let vector = to / 32u * 2u + to % 2u;
    var value: vec4u;
    ${parts.join('\n    else ')}
    into[index * params.vectors * 16u + to] = value;
  }
}`,
  })
  recording.dispatch(tiled, {
    params: { vectors: inner / 8, count: columnTiles * columnBlocks, ...params },
    buffers: { ...tensors, into },
    grid: columnTiles * columnBlocks,
  })
}

const lanes = 256
