import type { MatrixUnits } from '../device/adapter.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { withinFloat16 } from '../wgsl/float16-stores.ts'
import { type BlocksWgsl, matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import type { Mask } from './softmax.ts'

// What the kernels of flash attention share: the shapes of their inputs, and the pieces of WGSL that all of them contain.

/** Heads that lie side by side in the columns of a tensor (batches · rows, width), from column `column` on. */
export interface Heads {
  tensor: Tensor
  column?: number
}

export interface QueriesKeysValues {
  queries: Heads
  keys: Heads
  values: Heads
}

/** The sizes of an attention over heads. */
export interface AttentionShape {
  /** Independent attentions: frames, groups of tokens. */
  batches: number
  /** Query rows and key rows of one batch. */
  rows: number
  keyRows: number
  heads: number
  /** Divides `heads`: query head h reads key head h / (heads / keyValueHeads). */
  keyValueHeads: number
  headSize: number
  scale: number
  mask: Mask
}

/** Whether attention can be computed in blocks: in float16, on matrix units, with heads that are read 8 numbers at a time. */
export function flashFits(recording: Recording, shape: AttentionShape, heads: readonly Heads[]): boolean {
  const { target, precision } = recording
  const even = heads.every(({ tensor, column = 0 }) => column % 8 === 0 && tensor.shape[1] % 8 === 0)
  const known = shape.mask.kind !== 'causal' || recording.contentsOf(shape.mask.segments) !== undefined
  return (
    precision === 'float16' &&
    target.units !== 'none' &&
    known &&
    even &&
    shape.headSize % 8 === 0 &&
    shape.headSize <= 128
  )
}

/** Pairs of blocks: products that sum over the numbers of a head (scores), and over the keys or rows of a tile. */
export const alongHead = 0
export const alongTile = 1

/** Blocks of all attention kernels: everything goes through the workgroup's `tile`. */
export const flashBlocks = (units: MatrixUnits): BlocksWgsl => {
  const rows = { array: 'tile', fast: 'k' } as const
  const columns = { array: 'tile', fast: 'index' } as const
  return matrixBlocks(units, { left: [rows, rows], right: [rows, columns], tiles: ['tile'] })
}

/** WGSL: 8 numbers as float16, within its range; `packed_halves` where they are. */
export const halvesWgsl = `
fn halves(low: vec4f, high: vec4f) -> vec4u {
  return packed_halves(${withinFloat16('low', 'vec4f')}, ${withinFloat16('high', 'vec4f')});
}
fn packed_halves(a: vec4f, b: vec4f) -> vec4u {
  return vec4u(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}`

/** Heads as they lie in workgroup memory: rows of vectors of 8 float16, padded to blocks of 16, one vector apart more. */
export const headVectors = (headSize: number): { pitch: number; blocks: number } => {
  const blocks = Math.ceil(headSize / 16)
  return { pitch: blocks * 2 + 1, blocks }
}

/** Rows of a tensor that go to workgroup memory: fetched into registers first, so that loads can be in flight meanwhile. */
export interface Staged {
  /** Names the registers. */
  name: string
  /** Which tensor, by its binding. */
  source: string
  tileRows: number
  lanes: number
  headSize: number
}

/**
 * WGSL statements: `declare`, `fetch(firstRow, lastRow, start, stride)`, `put(at)`, and `pad(at)`, which zeroes what lies
 * between a head and the end of its last block: once is enough, since `put` leaves it alone.
 */
export function staged({ name, source, tileRows, lanes, headSize }: Staged) {
  const { pitch } = headVectors(headSize)
  const wide = headSize / 8
  const all = tileRows * wide
  const count = Math.ceil(all / lanes)
  const index = (i: number) => (i === 0 ? 'lane' : `(lane + ${i * lanes}u)`)
  const inside = (i: number) => ((i + 1) * lanes <= all ? '' : `if (${index(i)} < ${all}u) `)
  return {
    declare: unroll(count, i => `var ${name}${i}: vec4u;`).join('\n  '),
    /** Rows beyond `lastRow` repeat it. */
    fetch: (firstRow: string, lastRow: string, start: string, stride: string) =>
      unroll(count, i => {
        const row = `min(${firstRow} + ${index(i)} / ${wide}u, ${lastRow})`
        return `${inside(i)}{ ${name}${i} = load_${source}(${start} + ${row} * ${stride} + ${index(i)} % ${wide}u * 8u); }`
      }).join('\n    '),
    put: (at: string) =>
      unroll(
        count,
        i =>
          `${inside(i)}{ tile[${at} + ${index(i)} / ${wide}u * ${pitch}u + ${index(i)} % ${wide}u] = ${name}${i}; }`,
      ).join('\n    '),
    pad: (at: string) =>
      headSize % 16 === 0
        ? ''
        : `for (var i = lane; i < ${tileRows}u; i += ${lanes}u) { tile[${at} + i * ${pitch}u + ${wide}u] = vec4u(); }`,
  }
}

/**
 * WGSL: `hidden4(row, lineage, key, length)`, which of the keys `key` to `key + 3` the row must not see; `lineage_of(row)`
 * is found once.
 */
export function hiddenWgsl({ kind }: Mask): string {
  if (kind !== 'causal')
    return `
fn lineage_of(row: u32) -> vec2u { return vec2u(); }
fn hidden4(row: u32, lineage: vec2u, key: u32, length: u32) -> vec4<bool> {
  return vec4u(key) + vec4u(0u, 1u, 2u, 3u) >= vec4u(length);
}`
  return `
fn lineage_of(row: u32) -> vec2u { return vec2u(segments[row], parents[row]); }
fn hidden4(row: u32, lineage: vec2u, key: u32, length: u32) -> vec4<bool> {
  let keys = vec4u(key) + vec4u(0u, 1u, 2u, 3u);
  let at = min(keys, vec4u(length - 1u));
  let of_keys = vec4u(segments[at.x], segments[at.y], segments[at.z], segments[at.w]);
  let strange = (of_keys != vec4u(lineage.x)) & (of_keys != vec4u(lineage.y));
  return (keys > vec4u(row)) | strange;
}`
}

/** WGSL: whether a row, which may lie past the last, sees a key. */
export const seesWgsl = ({ kind }: Mask): string =>
  kind === 'causal'
    ? `
fn sees(row: u32, key: u32, length: u32) -> bool {
  if (row >= params.rows || key > row) { return false; }
  return segments[key] == segments[row] || segments[key] == parents[row];
}`
    : 'fn sees(row: u32, key: u32, length: u32) -> bool { return row < params.rows && key < length; }'

/** WGSL: where the rows of `key_head` begin in keys and values. */
export const keyStartsWgsl = (headSize: number): string =>
  ['k', 'v']
    .map(
      x =>
        `let ${x}_start = batch * params.key_rows * params.${x}_row + params.${x}_column + key_head * ${headSize}u;`,
    )
    .join('\n  ')

/** WGSL: which `rowTile` rows of which head of which batch a workgroup makes, and what there is of rows and keys. */
export const rowTileWgsl = (rowTile: number, headSize: number, { kind }: Mask): string => `
  let index = workgroup_index(id);
  if (index >= params.count) { return; }
  // The last tiles first: under a causal mask they take longest.
  let row_tile = params.tiles - 1u - index % params.tiles;
  let head = index / params.tiles % params.heads;
  let key_head = head / params.ratio;
  let batch = index / params.tiles / params.heads;
  let first_row = row_tile * ${rowTile}u;
  let length = ${kind === 'lengths' ? 'lengths[batch]' : 'params.key_rows'};
  let last_row = params.rows - 1u;
  let last_key = params.key_rows - 1u;
  let q_start = batch * params.rows * params.q_row + params.q_column + head * ${headSize}u;
  ${keyStartsWgsl(headSize)}`

/** The base-2 logarithm of e: exponentials are powers of two. */
export const logOfE = Math.LOG2E

/** Minus infinity among scores; a row that sees nothing keeps `unseen` as its largest. */
export const hiddenScore = -1e30
export const unseen = -1e29

/** Where the gradient of some heads goes: columns of a tensor shaped as theirs. */
export interface HeadsGradient extends Heads {
  accumulate: boolean
}

export interface FlashBackward extends AttentionShape {
  queries: Heads
  keys: Heads
  values: Heads
  /** What `flashAttention` wrote, and its gradient; f32 or f16. */
  out: Tensor
  dOut: Tensor
  logSums: Tensor
  /** f32; left out where nobody learns. */
  dQueries?: HeadsGradient | undefined
  dKeys?: HeadsGradient | undefined
  dValues?: HeadsGradient | undefined
}
