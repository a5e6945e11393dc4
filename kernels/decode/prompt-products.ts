import { type BufferSpec, kernel, type Target, targetKey } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { matmul } from '../matmul/matmul.ts'
import type { Operand } from '../matmul/operands.ts'
import type { Recording } from '../plan/recording.ts'
import { vectorise } from '../wgsl/packs.ts'
import { group } from '../wgsl/workgroup.ts'
import type { DecodeAttention } from './attention.ts'

// Attention of one new token of each sequence where many sequences share a prompt, on software adapters: the prompt's keys and
// values are factors of products, which read them once for all sequences, as attention.ts reads them once for each.
//
//   scores (sequences, heads, stride)
//   ┌───────────────────────────────┬──────────────────┐
//   │ q Kᵀ with the prompt's keys   │ with own tokens  │   1. a product for each prompt makes the left part
//   └───────────────────────────────┴──────────────────┘   2. one kernel makes the right part, the softmax over both, and
//                                                             out = weights of own tokens · V
//                                                          3. a product for each prompt adds weights of the prompt · V
//
// Columns of the left part beyond a prompt's length get weight 0, but their keys and values are read: they must be finite.

/** Sequences side by side that share a prompt, and its rows: the first, and how many a prompt may have. */
export interface SharedPrompt {
  first: number
  count: number
  start: number
  room: number
}

/** As `decodeAttention`; every sequence has one of the prompts. */
export function decodeByProducts(
  recording: Recording,
  of: DecodeAttention,
  prompts: readonly SharedPrompt[],
): void {
  const { sequences, heads, keyValueHeads, headSize, capacity, scale, q, out } = of
  const room = roundedUp(Math.max(...prompts.map(prompt => prompt.room)))
  const stride = room + roundedUp(capacity)
  const scores = recording.tensor('decode scores', [sequences, heads, stride])
  const batch = { outer: 1, inner: heads }
  const ofSequences = (tensor: Tensor, first: number): Operand => {
    const width = heads * headSize
    return { tensor, offset: first * width, rowStride: width, inner: headSize }
  }
  const ofScores = (first: number): Operand => {
    return { tensor: scores, offset: first * heads * stride, rowStride: heads * stride, inner: stride }
  }
  const ofPrompt = (tensor: Tensor, start: number): Operand => {
    const width = keyValueHeads * headSize
    const innerDivisor = heads / keyValueHeads
    return { tensor, offset: start * width, rowStride: width, inner: headSize, innerDivisor }
  }
  for (const { first, count, start, room: columns } of prompts)
    matmul(recording, {
      form: 'nt',
      rows: count,
      columns,
      inner: headSize,
      a: ofSequences(q, first),
      b: ofPrompt(of.prefixKeys, start),
      out: ofScores(first),
      scale,
      batch,
    })
  recordOwnTokens(recording, of, { scores, room, stride })
  for (const { first, count, start, room: inner } of prompts)
    matmul(recording, {
      form: 'nn',
      rows: count,
      columns: headSize,
      inner,
      a: ofScores(first),
      b: ofPrompt(of.prefixValues, start),
      out: ofSequences(out, first),
      accumulate: true,
      batch,
    })
}

/** Rows of scores begin where four numbers can be loaded at once. */
const roundedUp = (count: number): number => Math.ceil(count / 4) * 4

function recordOwnTokens(
  recording: Recording,
  of: DecodeAttention,
  { scores, room, stride }: { scores: Tensor; room: number; stride: number },
): void {
  const { sequences, heads, keyValueHeads, headSize, capacity, scale } = of
  const { q, prefixLengths, keys, values, position, out } = of
  const packs = headSize / vectorise(headSize).size
  recording.dispatch(ownTokens(recording.target, headSize), {
    params: { sequences, heads, key_value_heads: keyValueHeads, capacity, scale, packs, room, stride },
    buffers: { q, prefix_lengths: prefixLengths, keys, values, position, scores, out },
    grid: sequences * heads,
  })
}

// One workgroup, which is one subgroup, a sequence and head: lanes stride over keys, then over the packs of the output.
function ownTokens(target: Target, headSize: number) {
  const { element, declarations, size } = vectorise(headSize)
  const { width: lanes, enables, functions } = group(target)
  const read = { element, access: 'read' } satisfies BufferSpec
  const index = { element: 'u32', access: 'read' } satisfies BufferSpec
  return kernel(['decode_own_tokens', targetKey(target), size], () => ({
    name: 'decode_own_tokens',
    enables,
    params: {
      sequences: 'u32',
      heads: 'u32',
      key_value_heads: 'u32',
      capacity: 'u32',
      scale: 'f32',
      packs: 'u32',
      room: 'u32',
      stride: 'u32',
    },
    buffers: {
      q: read, // (sequences, heads, packs of a head)
      prefix_lengths: index, // (sequences)
      keys: read, // (sequences, capacity, keyValueHeads, packs of a head)
      values: read,
      position: index, // (sequences)
      scores: { element: 'f32', access: 'write' }, // (sequences, heads, stride)
      out: { element, access: 'write' }, // like q
    },
    code: `${declarations}${functions}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = workgroup_index(id);
  if (place >= params.sequences * params.heads) { return; }
  let sequence = place / params.heads;
  let key_head = place % params.heads * params.key_value_heads / params.heads;
  let query = place * params.packs;
  let prompt = place * params.stride;
  let own = prompt + params.room;
  let length = min(prefix_lengths[sequence], params.room);
  let tokens = min(position[sequence] + 1u, params.capacity);
  let first = sequence * params.capacity;

  var largest = -3.4e38;
  for (var j = lane; j < length; j += ${lanes}u) { largest = max(largest, scores[prompt + j]); }
  for (var j = lane; j < tokens; j += ${lanes}u) {
    let key = ((first + j) * params.key_value_heads + key_head) * params.packs;
    var products = number();
    for (var pack = 0u; pack < params.packs; pack++) {
      products = fma(q[query + pack], keys[key + pack], products);
    }
    let score = total(products) * params.scale;
    scores[own + j] = score;
    largest = max(largest, score);
  }
  largest = group_max(largest, lane);

  var mass = 0.0;
  for (var j = lane; j < length; j += ${lanes}u) {
    let weight = exp(scores[prompt + j] - largest);
    scores[prompt + j] = weight;
    mass += weight;
  }
  for (var j = lane; j < tokens; j += ${lanes}u) {
    let weight = exp(scores[own + j] - largest);
    scores[own + j] = weight;
    mass += weight;
  }
  let factor = 1.0 / group_sum(mass, lane);
  for (var j = lane; j < params.room; j += ${lanes}u) {
    // Not a product: what lies beyond the length may be no number.
    if (j < length) { scores[prompt + j] *= factor; } else { scores[prompt + j] = 0.0; }
  }
  storageBarrier();

  for (var pack = lane; pack < params.packs; pack += ${lanes}u) {
    var sum = number();
    for (var j = 0u; j < tokens; j++) {
      let value = ((first + j) * params.key_value_heads + key_head) * params.packs + pack;
      sum = fma(number(scores[own + j] * factor), values[value], sum);
    }
    out[query + pack] = sum;
  }
}`,
  }))
}
