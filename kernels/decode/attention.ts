import { type BufferSpec, kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { vectorise } from '../wgsl/packs.ts'
import { decodeBroadcast } from './attention-broadcast.ts'
import { decodeTile } from './attention-tile.ts'

// Attention of one new token of each sequence, in float32: out = softmax(scale · q Kᵀ) V over the rows of its prompt and then its
// own earlier tokens, in one pass over the keys (the running softmax of Milakov and Gimelshein 2018). One workgroup a sequence and
// head; in a tile of keys, one a lane:
//
//   m' = max(m, scores)    mass = mass · exp(m − m') + Σ exp(score − m')    sums = sums · exp(m − m') + Σ exp(score − m') · v
//
//   prompts packed in one list of rows          own tokens, a slot each
//   ┌──────────┬───────┬─────────────┐          ┌─────┬─────┬─────────┐
//   │ prompt 0 │ pr. 1 │ prompt 2    │          │ s 0 │ s 1 │ …       │   sequences may share a prompt: each has its first row
//   └──────────┴───────┴─────────────┘          └─────┴─────┴─────────┘   and its length
//
// attention-tile.ts is the shader for GPUs, attention-broadcast.ts for software adapters. The reference is
// `decodeAttentionReference`. On matrix units shared-prompt-attention.ts takes its place.

/** The sizes of attention of one new token of each sequence. */
export interface DecodeHeads {
  heads: number
  keyValueHeads: number
  headSize: number
  /** Tokens that a sequence has room for. */
  capacity: number
  scale: number
}

export interface DecodeAttention extends DecodeHeads {
  /** (sequences, heads · headSize): one new token of each sequence */
  q: Tensor
  /** (prefixRows, keyValueHeads · headSize): the prompts, packed */
  prefixKeys: Tensor
  prefixValues: Tensor
  /** u32 (sequences): which rows are a sequence's prompt; sequences may share them. */
  prefixStarts: Tensor
  prefixLengths: Tensor
  /** (sequences, capacity, keyValueHeads · headSize): keys and values of generated tokens */
  keys: Tensor
  values: Tensor
  /** u32 (sequences): slots 0 to this one, inclusive, are seen. */
  position: Tensor
  /** like q */
  out: Tensor
  sequences: number
}

const largestHead = 256

/**
 * out = softmax(scale · q · kᵀ) · v for each sequence and head, over its prompt and then its own tokens. Throws when
 * keyValueHeads does not divide heads, and for heads of more than 256 numbers.
 */
export function decodeAttention(recording: Recording, of: DecodeAttention): void {
  const { sequences, heads, keyValueHeads, headSize, capacity, scale } = of
  if (heads % keyValueHeads !== 0)
    throw new Error(
      `decodeAttention: heads must be a multiple of keyValueHeads, got ${heads} and ${keyValueHeads}`,
    )
  if (headSize > largestHead)
    throw new Error(`decodeAttention: headSize must be at most ${largestHead}, got ${headSize}`)
  const { q, prefixKeys, prefixValues, prefixStarts, prefixLengths, keys, values, position, out } = of
  const generate = recording.target.family === 'cpu' ? decodeBroadcast : decodeTile
  const { enables, code } = generate(recording.target, headSize)
  const { size, element, declarations } = vectorise(headSize)
  const packs = headSize / size // of one head
  const packsOfLane = Math.ceil(packs / recording.target.subgroupSize)
  const read = { element, access: 'read' } satisfies BufferSpec
  const index = { element: 'u32', access: 'read' } satisfies BufferSpec
  const decode = kernel({
    name: 'decode_attention',
    enables,
    params: {
      sequences: 'u32',
      heads: 'u32',
      key_value_heads: 'u32',
      capacity: 'u32',
      scale: 'f32',
      packs: 'u32',
      packs_of_lane: 'u32',
    },
    buffers: {
      q: read, // (sequences, heads, packs of a head)
      prefix_keys: read, // (prefix rows, keyValueHeads, packs of a head)
      prefix_values: read,
      prefix_starts: index, // (sequences)
      prefix_lengths: index,
      keys: read, // (sequences, capacity, keyValueHeads, packs of a head)
      values: read,
      position: index, // (sequences)
      out: { element, access: 'write' }, // like q
    },
    code: declarations + code,
  })
  recording.dispatch(decode, {
    params: {
      sequences,
      heads,
      key_value_heads: keyValueHeads,
      capacity,
      scale,
      packs,
      packs_of_lane: packsOfLane,
    },
    buffers: {
      q,
      prefix_keys: prefixKeys,
      prefix_values: prefixValues,
      prefix_starts: prefixStarts,
      prefix_lengths: prefixLengths,
      keys,
      values,
      position,
      out,
    },
    grid: sequences * heads,
  })
}

/** Plain data of the same names. */
export interface DecodeAttentionData extends DecodeHeads {
  q: ArrayLike<number>
  prefixKeys: ArrayLike<number>
  prefixValues: ArrayLike<number>
  prefixStarts: ArrayLike<number>
  prefixLengths: ArrayLike<number>
  keys: ArrayLike<number>
  values: ArrayLike<number>
  position: ArrayLike<number>
}

/** The same arithmetic as plain loops: all scores of a head, their softmax, the weighted sum. */
export function decodeAttentionReference(of: DecodeAttentionData): number[] {
  const { heads, keyValueHeads, headSize, capacity, scale } = of
  const out: number[] = []
  for (let place = 0; place < of.q.length / headSize; place++) {
    const [sequence, head] = [Math.floor(place / heads), place % heads]
    const keyHead = Math.floor((head * keyValueHeads) / heads)
    const prefix = Array.from({ length: of.prefixLengths[sequence] }, (_, i) => {
      const at = ((of.prefixStarts[sequence] + i) * keyValueHeads + keyHead) * headSize
      return { keys: of.prefixKeys, values: of.prefixValues, at }
    })
    const own = Array.from({ length: of.position[sequence] + 1 }, (_, i) => {
      const at = ((sequence * capacity + i) * keyValueHeads + keyHead) * headSize
      return { keys: of.keys, values: of.values, at }
    })
    const rows = [...prefix, ...own]
    const scores = rows.map(({ keys, at }) => {
      let score = 0
      for (let d = 0; d < headSize; d++) score += of.q[place * headSize + d] * keys[at + d]
      return score * scale
    })
    const top = Math.max(...scores)
    const weights = scores.map(score => Math.exp(score - top))
    const mass = weights.reduce((sum, weight) => sum + weight, 0)
    for (let d = 0; d < headSize; d++)
      out.push(rows.reduce((sum, { values, at }, i) => sum + weights[i] * values[at + d], 0) / mass)
  }
  return out
}
