import { decodeAttention } from '../../decode/attention.ts'
import { advance, cacheRows } from '../../decode/key-value-cache.ts'
import type { Tensor } from '../../device/tensor.ts'
import { copy } from '../../elementwise/copy.ts'
import { logits as logitsLayer } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { rotationTables } from '../../layers/rope.ts'
import type { Recording } from '../../plan/recording.ts'
import { gatherRows } from '../../rows/gather-rows.ts'
import { type Attend, embeddingTable, headWeight, languageModel } from '../language-model.ts'
import type { Packing } from '../packing.ts'
import type { VideoModel } from '../video-model.ts'

/** What records a step, whatever it is made of. */
export interface Steps {
  /** Takes a layer's keys and values of prompts, while they are prefilled. */
  storePrompt(layer: number, keys: Tensor, values: Tensor, into: PrefillTarget): void
  /** The logits (sequences, vocabulary) of what follows `ids`. */
  recordStep(): Tensor
  /** What the lists of a prompt's sequences must hold before another prompt of that length takes its place. */
  promptWrites(prompt: number, length: number): readonly ListWrite[]
}

/** Where prompts are prefilled. */
export interface PrefillTarget {
  recording: Recording
  /** First row that they take among those of all prompts. */
  start: number
  /** The places of the steps' tensors, where these belong to another plan. */
  placed?: (tensor: Tensor) => Tensor
}

/** Contents of a list of indices from one element on. */
export interface ListWrite {
  into: Tensor
  at: number
  data: Uint32Array<ArrayBuffer>
}

/** Rows of the prompts' keys and values that one of them takes, and how many it may take. */
export interface PromptRows {
  start: number
  length: number
  room: number
}

export interface StepOptions {
  /** For each sequence, whose prompt it continues; sequences of a prompt lie side by side. */
  owners: readonly number[]
  prompts: readonly PromptRows[]
  /** Of all prompts. */
  rows: number
  capacity: number
  /** u32 (sequences): tokens of each that have keys and values. */
  position: Tensor
  ids: Tensor
}

/** The rows of packed prompts, which nothing comes after. */
export const promptsOf = ({ prompts, rows }: Packing): Pick<StepOptions, 'prompts' | 'rows'> => {
  return { prompts: prompts.map(prompt => ({ ...prompt, room: prompt.length })), rows }
}

/** The layers of the whole model over one row a sequence: anywhere, in any precision, with adapters. */
export function plainSteps(
  recording: Recording,
  { weights, shape: { language } }: Pick<VideoModel, 'weights' | 'shape'>,
  { owners, prompts, rows, capacity, position, ids }: StepOptions,
): Steps {
  const { heads, keyValueHeads, headSize, hidden, layers, ropeTheta } = language
  const count = owners.length
  const width = keyValueHeads * headSize
  const room = (label: string, shape: readonly number[]) =>
    Array.from({ length: layers }, () => {
      const [keys, values] = ['keys', 'values'].map(what => recording.pin(`${label} ${what}`, shape))
      return { keys, values }
    })
  const prefixes = room('prompt', [rows, width])
  const caches = room('cached', [count, capacity, width])
  const list = (label: string, values: readonly number[]) =>
    recording.constant(label, [values.length], Uint32Array.from(values))
  const lengths = owners.map(owner => prompts[owner].length)
  const positions = list('positions', lengths)
  const prefixLengths = list('prefix lengths', lengths)
  const table = Math.max(...prompts.map(prompt => prompt.room)) + capacity

  return {
    storePrompt(layer, keys, values, { recording, start, placed = unchanged }) {
      const into = prefixes[layer]
      copy(recording, { from: keys, into: placed(into.keys), at: start * width })
      copy(recording, { from: values, into: placed(into.values), at: start * width })
    },
    promptWrites(prompt, length) {
      const at = owners.indexOf(prompt)
      const data = new Uint32Array(owners.filter(owner => owner === prompt).length).fill(length)
      return [positions, prefixLengths].map(into => ({ into, at, data }))
    },
    recordStep() {
      const embeddings = recording.tensor('embeddings', [count, hidden])
      const each = (length: number) => Array.from({ length }, (_, i) => i)
      gatherRows(recording, {
        from: embeddingTable(weights).value,
        into: embeddings,
        destinations: list('destinations', each(count)),
        offsets: list('offsets', each(count + 1)),
        items: ids,
        segments: count,
        accumulate: false,
      })
      const prefixStarts = list(
        'prefix starts',
        owners.map(owner => prompts[owner].start),
      )
      const tables = rotationTables(recording, table, headSize, ropeTheta)
      const attend: Attend = (layer, q, newKeys, newValues) => {
        const { keys, values } = caches[layer]
        cacheRows(recording, { from: newKeys, cache: keys, position, sequences: count, width, capacity })
        cacheRows(recording, { from: newValues, cache: values, position, sequences: count, width, capacity })
        const out = recording.tensor('attention', q.shape)
        decodeAttention(recording, {
          ...{ q, prefixKeys: prefixes[layer].keys, prefixValues: prefixes[layer].values },
          ...{ prefixStarts, prefixLengths, keys, values, position, out },
          ...{ sequences: count, heads, keyValueHeads, headSize, capacity, scale: headSize ** -0.5 },
        })
        return out
      }
      const pass = new Pass(recording, false)
      const next = languageModel(pass, weights, language, embeddings, { ...tables, positions }, attend)
      advance(recording, { position: positions, limit: table - 1 })
      return logitsLayer(pass, next, headWeight(weights, language))
    },
  }
}

/** Of tensors that belong to the plan itself. */
export const unchanged = (tensor: Tensor): Tensor => tensor
