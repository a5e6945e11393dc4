import { advance, cacheRows } from '../cache.ts'
import { decodeAttention } from '../decode-attention.ts'
import { gatherRows } from '../gather-rows.ts'
import { logits as logitsLayer } from '../layers/head.ts'
import { Pass } from '../layers/pass.ts'
import { rotationTables } from '../layers/rope.ts'
import type { Plan } from '../plan.ts'
import type { Tensor } from '../tensor.ts'
import { type Attend, embeddingTable, headWeight, languageModel } from './language-model.ts'
import type { Packing } from './packing.ts'
import type { VideoModel } from './video-model.ts'

/** What records a step, whatever it is made of. */
export interface Steps {
  /** Takes a layer's keys and values of the prompts, while they are prefilled. */
  keep(layer: number, keys: Tensor, values: Tensor): void
  /** The logits (sequences, vocabulary) of what follows `ids`. */
  record(): Tensor
}

export interface Stepping {
  /** For each sequence, whose prompt it continues; sequences of a prompt lie side by side. */
  owners: readonly number[]
  packing: Packing
  capacity: number
  position: Tensor
  ids: Tensor
}

/** The layers of the whole model over one row a sequence: anywhere, in any precision, with adapters. */
export function rowSteps(
  plan: Plan,
  { weights, shape: { language } }: Pick<VideoModel, 'weights' | 'shape'>,
  { owners, packing, capacity, position, ids }: Stepping,
): Steps {
  const { heads, keyValueHeads, headSize, hidden, layers, ropeTheta } = language
  const count = owners.length
  const width = keyValueHeads * headSize
  const prefixes: { keys: Tensor; values: Tensor }[] = []
  const caches = Array.from({ length: layers }, () => {
    const [keys, values] = ['key cache', 'value cache'].map(label =>
      plan.pin(label, [count, capacity, width]),
    )
    return { keys, values }
  })
  const list = (label: string, values: readonly number[]) =>
    plan.constant(label, [values.length], Uint32Array.from(values))
  const prompts = owners.map(owner => packing.prompts[owner])
  const lengths = prompts.map(prompt => prompt.length)
  const positions = list('positions', lengths)

  return {
    keep(layer, keys, values) {
      for (const tensor of [keys, values]) plan.pinned.add(tensor)
      prefixes[layer] = { keys, values }
    },
    record() {
      const embeddings = plan.tensor('embeddings', [count, hidden])
      const each = (length: number) => Array.from({ length }, (_, i) => i)
      gatherRows(plan, {
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
        prompts.map(prompt => prompt.start),
      )
      const prefixLengths = list('prefix lengths', lengths)
      const tables = rotationTables(plan, Math.max(...lengths) + capacity, headSize, ropeTheta)
      const attend: Attend = (layer, q, newKeys, newValues) => {
        const { keys, values } = caches[layer]
        cacheRows(plan, { from: newKeys, cache: keys, position, sequences: count, width, capacity })
        cacheRows(plan, { from: newValues, cache: values, position, sequences: count, width, capacity })
        const out = plan.tensor('attention', q.shape)
        decodeAttention(plan, {
          ...{ q, prefixKeys: prefixes[layer].keys, prefixValues: prefixes[layer].values },
          ...{ prefixStarts, prefixLengths, keys, values, position, out },
          ...{ sequences: count, heads, keyValueHeads, headSize, capacity, scale: headSize ** -0.5 },
        })
        return out
      }
      const pass = new Pass(plan, false)
      const next = languageModel(pass, weights, language, embeddings, { ...tables, positions }, attend)
      advance(plan, { position: positions })
      return logitsLayer(pass, next, headWeight(weights, language))
    },
  }
}
