import { decodeAttention } from '../../decode/attention.ts'
import { advance, cacheRows } from '../../decode/key-value-cache.ts'
import { decodeByProducts, type SharedPrompt } from '../../decode/prompt-products.ts'
import type { Tensor } from '../../device/tensor.ts'
import { logits as logitsLayer } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { rotationTables } from '../../layers/rope.ts'
import { derived } from '../../plan/derived.ts'
import type { Recording } from '../../plan/recording.ts'
import { gatherRows } from '../../rows/gather-rows.ts'
import { embeddingTable, headWeight } from '../language-weights.ts'
import { type Packed, positionRoom } from '../packing.ts'
import type { Attend } from '../shape.ts'
import type { VideoModel } from '../video-model.ts'

/** Records decode steps, each of which computes the logits of the next token of every sequence. */
export interface Steps {
  /** Where a layer's keys and values of prompts are stored. */
  promptStore(layer: number): PromptStore
  /** Records one step: the logits (sequences, vocabulary) of the token after `ids`. */
  recordStep(): Tensor
  /** The writes that tell the steps that a prompt of this extent takes the place of an earlier one. */
  promptWrites(prompt: number, of: PromptExtent): readonly ListWrite[]
}

/** Tensors with rows of keys, and of values; `at` is the first element of row 0. */
export interface PromptStore {
  keys: { tensor: Tensor; at: number }
  values: { tensor: Tensor; at: number }
  /** Numbers in a row. */
  width: number
}

/** Elements to write into a list of indices, from element `at` on. */
export interface ListWrite {
  into: Tensor
  at: number
  data: Uint32Array<ArrayBuffer>
}

/** How many rows a prompt has, and the position of the token after it. */
export interface PromptExtent {
  length: number
  next: number
}

/** The rows that a prompt takes in the keys and values of all prompts; it may take up to `room`. */
export interface PromptRows extends PromptExtent {
  start: number
  room: number
}

export interface StepOptions {
  /** For each sequence, the index of the prompt that it continues; sequences of a prompt are neighbours. */
  owners: readonly number[]
  /** By use of the recording; their number and `room` stay the same. */
  prompts: () => readonly PromptRows[]
  /** Rows of all prompts. */
  rows: number
  /** No prompt has a token at this position or after it. */
  positions: number
  /** Tokens of the longest completion. */
  capacity: number
  /** u32 (sequences): completion tokens of each that have keys and values. */
  position: Tensor
  /** u32 (sequences): the last token of each. */
  ids: Tensor
}

/** The rows of packed prompts; those of similar lengths have the same room. */
export function promptsOf(packed: Packed, step: number): Pick<StepOptions, 'prompts' | 'rows' | 'positions'> {
  const prompts = derived(
    () => packed.packing,
    packing => packing.prompts.map(prompt => ({ ...prompt, room: Math.ceil(prompt.length / step) * step })),
  )
  return { prompts, rows: packed.packing.rows, positions: positionRoom(packed.packing) }
}

/** Steps that run the layers of the model on one row for each sequence: on any GPU, in any precision, with adapters. */
export function plainSteps(
  recording: Recording,
  { weights, shape: { language } }: Pick<VideoModel, 'weights' | 'shape'>,
  { owners, prompts, rows, positions: most, capacity, position, ids }: StepOptions,
): Steps {
  const { heads, keyValueHeads, headSize, hidden, layers, ropeTheta } = language
  const count = owners.length
  const width = keyValueHeads * headSize
  const room = (label: string, shape: readonly number[]) =>
    Array.from({ length: layers }, () => {
      const [keys, values] = ['keys', 'values'].map(name => recording.pin(`${label} ${name}`, shape))
      return { keys, values }
    })
  const prefixes = room('prompt', [rows, width])
  const caches = room('cached', [count, capacity, width])
  const list = (label: string, values: readonly number[]) =>
    recording.constant(label, [values.length], Uint32Array.from(values))
  const ofOwners = (label: string, field: 'start' | 'length' | 'next') => {
    const values = derived(prompts, of => Uint32Array.from(owners, owner => of[owner][field]))
    return recording.input(label, [count], values)
  }
  const positions = ofOwners('positions', 'next')
  const prefixLengths = ofOwners('prefix lengths', 'length')
  const shared = sharedPrompts(recording, owners, prompts())
  // The products read all rows that a prompt may have.
  if (shared)
    for (const { keys, values } of prefixes) for (const tensor of [keys, values]) recording.fill(tensor)
  const table = most + capacity

  return {
    promptStore(layer) {
      const { keys, values } = prefixes[layer]
      return { keys: { tensor: keys, at: 0 }, values: { tensor: values, at: 0 }, width }
    },
    promptWrites(prompt, { length, next }) {
      const at = owners.indexOf(prompt)
      const all = (value: number) =>
        new Uint32Array(owners.filter(owner => owner === prompt).length).fill(value)
      return [
        { into: positions, at, data: all(next) },
        { into: prefixLengths, at, data: all(length) },
      ]
    },
    recordStep() {
      const embeddings = recording.tensor('embeddings', [count, hidden])
      const upTo = (length: number) => Array.from({ length }, (_, i) => i)
      const { value, integers } = embeddingTable(weights)
      gatherRows(recording, {
        from: integers ?? value,
        into: embeddings,
        destinations: list('destinations', upTo(count)),
        offsets: list('offsets', upTo(count + 1)),
        items: ids,
        segments: count,
        accumulate: false,
      })
      const prefixStarts = ofOwners('prefix starts', 'start')
      const tables = rotationTables(recording, table, headSize, ropeTheta)
      const attend: Attend = (layer, q, newKeys, newValues) => {
        const { keys, values } = caches[layer]
        cacheRows(recording, { from: newKeys, cache: keys, position, sequences: count, width, capacity })
        cacheRows(recording, { from: newValues, cache: values, position, sequences: count, width, capacity })
        const out = recording.tensor('attention', q.shape)
        const attention = {
          q,
          prefixKeys: prefixes[layer].keys,
          prefixValues: prefixes[layer].values,
          prefixStarts,
          prefixLengths,
          keys,
          values,
          position,
          out,
          sequences: count,
          heads,
          keyValueHeads,
          headSize,
          capacity,
          scale: headSize ** -0.5,
        }
        if (shared) decodeByProducts(recording, attention, shared)
        else decodeAttention(recording, attention)
        return out
      }
      const pass = new Pass(recording, false)
      const rotation = { ...tables, positions }
      const next = language.record(pass, weights, { embeddings, rotation, attend })
      advance(recording, { position: positions, limit: table - 1 })
      return logitsLayer(pass, next, headWeight(weights, language))
    },
  }
}

/** Sequences of one prompt from which on products with it take less time than attention of each by itself. */
const fewestShared = 4

/** The sequences of each prompt, on a software adapter where every prompt has enough of them. */
function sharedPrompts(
  { target }: Recording,
  owners: readonly number[],
  prompts: readonly PromptRows[],
): SharedPrompt[] | undefined {
  const shared = prompts.map(({ start, room }, i) => {
    return { start, room, first: owners.indexOf(i), count: owners.filter(owner => owner === i).length }
  })
  return target.family === 'cpu' && shared.every(({ count }) => count >= fewestShared) ? shared : undefined
}
