import { type BufferSpec, kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { type IntegerFormat, type IntegerMatrix, integersWgsl, rowWords } from '../weights/integers.ts'
import { withinFloat16 } from '../wgsl/float16-stores.ts'
import { adapterParts, type JoinedAdapters } from './joined-adapters.ts'
import { blocksOfTile, knownSizes, type StepShape } from './product-tile.ts'

// Weights of decode products in the order in which matrix units read them: blocks of 16 columns by 16 k side by side, 512 bytes
// each, in float16. A block is then loaded straight from memory, in whole lines, without a way through workgroup memory:
//
//   as stored   column 0: k 0 … inner     tiled   columns 0 … 15, k 0 … 15 │ columns 0 … 15, k 16 … 31 │ …
//               column 1: k 0 … inner             columns 16 … 31, k 0 … 15 │ …
//
// The columns follow each other as the product's tiles have them, so tiles serve one product and one width of its tile.

/** A matrix of weights (outputs, inner). */
export type StepMatrix = Tensor | IntegerMatrix

/** The weights of a product, and which of them each tile of columns has. */
export interface StepWeights extends StepShape {
  /**
   * Weights (outputs, inner) by part: the first and the second half of a tile's columns are rows of these tensors, from
   * `first` and `second` on.
   */
  weights: readonly (readonly [string, string])[]
  /** The matrices of these names: float16 or float32, or integers of one format. */
  tensors: Readonly<Record<string, StepMatrix>>
  /** Rows of the weights, where tiles may go beyond. */
  weightRows?: number | undefined
}

/** Numbers of the tiles of a product's weights; those of columns that do not exist are copies of the last column. */
export const tiledSize = ({ columnTiles, tile, inner }: StepWeights): number =>
  columnTiles * blocksOfTile(tile) * 16 * inner

/**
 * Writes the weights into a float16 tensor of `tiledSize`. To matrices of integers it adds `adapters`, joined in the order of
 * `tensors`.
 */
export function tileWeights(
  recording: Recording,
  of: StepWeights,
  into: Tensor,
  adapters?: JoinedAdapters,
): void {
  const { name, tile, inner, columnTiles, weights, weightRows, tensors, locate, types, params } = of
  const known = knownSizes(recording.target, { columns_of_lane: columnsOfLane })
  const source = sourceOf(tensors, inner, adapters)
  const added = adapterParts(recording.target, adapters, known.wgsl.columns_of_lane)
  const columnBlocks = blocksOfTile(tile)
  const half = columnBlocks * 8
  const write = (array: string) => `${source.prepare(array)}
      for (var c = 0u; c < ${known.wgsl.columns_of_lane}; c++) {
        into[to + c * 4u] = ${source.load(array, 'rows[c]')};
      }`
  const parts = weights.map(([first, second], part) =>
    first === second
      ? `if (part == ${part}u) { ${write(first)} }`
      : `if (part == ${part}u && column < ${half}u) { ${write(first)} } else if (part == ${part}u) { ${write(second)} }`,
  )
  const tiled = kernel<string, string>({
    name: `${name}_weights`,
    params: { vectors: 'u32', count: 'u32', pieces: 'u32', ...known.types, ...added.types, ...types },
    buffers: { ...source.specs, ...added.specs, into: { element: 'vec4u', access: 'write' } },
    code: `
fn kept(value: vec4f) -> vec4f { return ${withinFloat16('value', 'vec4f')}; }
fn packed(a: vec4f, b: vec4f) -> vec4u {
  let low = kept(a);
  let high = kept(b);
  return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}${added.functions}${source.functions}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = workgroup_index(id) / params.pieces;
  let k_block = workgroup_index(id) % params.pieces * ${blocksOfGroup}u + lane / 8u;
  if (index >= params.count || k_block >= params.vectors / 2u) { return; }
  let column_tile = index / ${columnBlocks}u;
  ${locate}
  // Vectors of 8 numbers lie in the order: block of 16 k, column, half of the block.
  let vector = k_block * 2u + lane % 2u;
  let of_block = lane / 2u % 2u * 8u + lane / 4u % 2u;
  let to = (index * params.vectors + k_block * 2u) * 16u + of_block * 2u + lane % 2u;
  let column = index % ${columnBlocks}u * 16u + of_block;
  let row = select(second + column - ${half}u, first + column, column < ${half}u);
  let rows = ${rowsWgsl(weightRows)};
  ${parts.join('\n  else ')}
}`,
  })
  const [vectors, count] = [inner / 8, columnTiles * columnBlocks]
  const pieces = Math.ceil(vectors / 2 / blocksOfGroup)
  recording.dispatch(tiled, {
    params: { vectors, count, pieces, ...known.params, ...added.params, ...params },
    buffers: { ...source.buffers, ...added.buffers, into },
    grid: count * pieces,
  })
}

const rowsWgsl = (weightRows: number | undefined): string => {
  const rows = `(row + vec${columnsOfLane}u(0u, 2u, 4u, 6u))`
  return weightRows === undefined ? rows : `min(${rows}, vec${columnsOfLane}u(${weightRows - 1}u))`
}

const lanes = 256

/**
 * Columns whose vectors of the same k a lane writes: every second of 8, so that one matrix has them all and what adapters read
 * for that k serves all four. Few vectors a lane: there are workgroups enough for a large GPU also where columns are few.
 */
const columnsOfLane = 4

/** Blocks of 16 k of a workgroup: each has 2 vectors of 16 columns. */
const blocksOfGroup = (lanes * columnsOfLane) / 32

/** How vectors of 8 numbers are read. */
interface Source {
  specs: Record<string, BufferSpec>
  buffers: Record<string, Tensor>
  functions: string
  /** WGSL before the loads of a matrix. */
  prepare(array: string): string
  /** WGSL: the numbers of `vector` of a row, as float16. */
  load(array: string, row: string): string
}

function sourceOf(
  tensors: StepWeights['tensors'],
  inner: number,
  adapters: JoinedAdapters | undefined,
): Source {
  const integers = Object.entries(tensors).flatMap(([name, one]) =>
    'integers' in one ? [[name, one] as const] : [],
  )
  const [first] = integers
  if (first) return sourceOfIntegers(integers, first[1], inner, adapters)
  if (adapters) throw new Error('tileWeights: adapters are added to integers only')
  const floats = Object.entries(tensors).flatMap(([name, one]) =>
    'integers' in one ? [] : [[name, one] as const],
  )
  const halves = floats.every(([, { type }]) => type === 'f16')
  const read: BufferSpec = { element: halves ? 'vec4u' : 'vec4f', access: 'read' } // (columns, inner)
  return {
    specs: Object.fromEntries(floats.map(([name]) => [name, read])),
    buffers: Object.fromEntries(floats),
    functions: '',
    prepare: () => '',
    load(array, row) {
      const at = `${row} * params.vectors + vector`
      return halves ? `${array}[${at}]` : `packed(${array}[(${at}) * 2u], ${array}[(${at}) * 2u + 1u])`
    },
  }
}

function sourceOfIntegers(
  all: readonly (readonly [string, IntegerMatrix])[],
  format: IntegerFormat,
  inner: number,
  adapters: JoinedAdapters | undefined,
): Source {
  const words = rowWords(inner, format)
  const { bits, groupSize } = format
  const read: BufferSpec = { element: bits === 4 ? 'u32' : 'vec2u', access: 'read' } // (columns, words)
  const group: BufferSpec = { element: 'u32', access: 'read' } // (columns, groups)
  return {
    specs: Object.fromEntries(
      all.flatMap(([name]) => [
        [name, read],
        [`${name}_groups`, group],
      ]),
    ),
    buffers: Object.fromEntries(
      all.flatMap(([name, { integers, groups }]) => [
        [name, integers],
        [`${name}_groups`, groups],
      ]),
    ),
    functions: `${integersWgsl(format)}
fn floats_of(words: ${read.element}, group: u32${adapters ? ', added: Eight' : ''}) -> vec4u {
  let zero = zero_of(group);
  let scale = scale_of(group);
  let low = (integers_of(${bits === 4 ? 'words, 0u' : 'words.x, 0u'}) - zero) * scale;
  let high = (integers_of(${bits === 4 ? 'words, 4u' : 'words.y, 0u'}) - zero) * scale;
  return packed(${adapters ? 'low + added.low, high + added.high' : 'low, high'});
}`,
    prepare(array) {
      const matrix = all.findIndex(([name]) => name === array)
      const first = adapters?.firstRows[matrix]
      return adapters ? `var added = adapted(rows + vec4u(${first}u), ${matrix}u, vector);` : ''
    },
    load(array, row) {
      const own = `${array}[${row} * params.vectors + vector]`
      const itsGroup = `${array}_groups[${row} * ${words.groups}u + vector / ${groupSize / 8}u]`
      return `floats_of(${own}, ${itsGroup}${adapters ? ', added[c]' : ''})`
    },
  }
}
