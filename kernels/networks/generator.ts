import { advance, cacheRows } from '../cache.ts'
import { decodeAttention } from '../decode-attention.ts'
import { gatherRows } from '../gather-rows.ts'
import { gather } from '../layers/gather.ts'
import { logits as logitsLayer } from '../layers/head.ts'
import { Pass } from '../layers/pass.ts'
import { rotationTables } from '../layers/rope.ts'
import { compile, Plan } from '../plan.ts'
import { probabilities, sampleTokens } from '../sampling.ts'
import type { Tensor } from '../tensor.ts'
import { hiddenStates } from './hidden-states.ts'
import { type Attend, embeddingTable, headWeight, languageModel } from './language-model.ts'
import { pack, type Sequence } from './packing.ts'
import { visualTokens } from './shape.ts'
import type { VideoModel } from './video-model.ts'

export interface Sampling {
  /** Takes the most likely token; the rest is then without effect. */
  greedy: boolean
  temperature: number
  /** Keeps the k most likely tokens; 0 keeps all. */
  topK: number
  /** Keeps the most likely tokens up to this mass; 1 keeps all. */
  topP: number
}

/** One prompt and the seeds of the completions wanted for it. */
export interface Request extends Sequence {
  /** One 32-bit seed a completion; its tokens depend on nothing else but prompt, weights and sampling. */
  seeds: readonly number[]
}

export interface GenerateOptions {
  maxNewTokens: number
  endIds: readonly number[]
  signal?: AbortSignal
  /** Told all ids of the first completion so far after each token, at the price of waiting for every one. */
  onTokens?: (ids: readonly number[]) => void
}

/** Tokens in flight before the host looks whether all sequences have ended. */
const blockSize = 8

/**
 * Writes completions for all requests as one batch: each prompt is prefilled once, its keys and values are shared by
 * its completions. Returns token ids for each request and seed, ended by one of `endIds` or cut at `maxNewTokens`.
 */
export async function generate(
  model: VideoModel,
  requests: readonly Request[],
  sampling: Sampling,
  { maxNewTokens, endIds, signal, onTokens }: GenerateOptions,
): Promise<number[][][]> {
  const plan = new Plan(model.device)
  const owners = requests.flatMap((request, i) => request.seeds.map(() => i))
  const state = record(plan, model, requests, owners, sampling, maxNewTokens, endIds[0])
  const compiled = await compile(model.device, plan, 'generation')
  try {
    compiled.write(state.position, new Uint32Array(1))
    compiled.run(['main'])
    let written = 1
    // Looked at one block late, so that the GPU never waits for the host.
    let ended = compiled.readIntegers(state.done)
    while (written < maxNewTokens && !signal?.aborted) {
      if (onTokens) onTokens(cut((await compiled.readIntegers(state.history)).subarray(0, written), endIds))
      const steps = Math.min(onTokens ? 1 : blockSize, maxNewTokens - written)
      compiled.run(Array.from({ length: steps }, () => 'step'))
      written += steps
      const previous = await ended
      ended = compiled.readIntegers(state.done)
      if (previous.every(flag => flag !== 0)) break
    }
    await ended
    const history = await compiled.readIntegers(state.history)
    const rows = owners.map((_, row) =>
      cut(history.subarray(row * maxNewTokens, row * maxNewTokens + written), endIds),
    )
    return requests.map((_, i) => rows.filter((_, row) => owners[row] === i))
  } finally {
    compiled.free()
  }
}

interface State {
  position: Tensor
  done: Tensor
  history: Tensor
}

/** Segment `main` prefills and draws the first token; `step` draws one more. */
function record(
  plan: Plan,
  model: VideoModel,
  requests: readonly Request[],
  owners: readonly number[],
  sampling: Sampling,
  capacity: number,
  endId: number,
): State {
  const { shape, weights } = model
  const { language } = shape
  const pass = new Pass(plan, false)
  const count = owners.length
  const packing = pack(requests, visualTokens(shape.connector), model.maxLength)
  const width = language.keyValueHeads * language.headSize
  const perLayer = (label: string, dimensions: readonly number[]) =>
    Array.from({ length: language.layers }, () => plan.pin(label, dimensions))
  const prefixKeys: Tensor[] = []
  const prefixValues: Tensor[] = []
  const keyCache = perLayer('key cache', [count, capacity, width])
  const valueCache = perLayer('value cache', [count, capacity, width])
  const list = (label: string, values: readonly number[]) =>
    plan.constant(label, [values.length], Uint32Array.from(values))
  const position = plan.pin('position', [1], 'u32')
  const done = list(
    'done',
    owners.map(() => 0),
  )
  const ids = list(
    'ids',
    owners.map(() => 0),
  )
  const history = plan.pin('history', [count, capacity], 'u32')
  const seeds = list(
    'seeds',
    requests.flatMap(request => request.seeds),
  )
  const positions = list(
    'positions',
    owners.map(owner => packing.prompts[owner].length),
  )

  const keep =
    (attend: Attend): Attend =>
    (layer, queries, keys, values) => {
      for (const tensor of [keys, values]) plan.pinned.add(tensor)
      prefixKeys[layer] = keys
      prefixValues[layer] = values
      return attend(layer, queries, keys, values)
    }
  const draw = (hidden: Tensor): void => {
    const rows = count
    const { vocabulary } = language
    const logits = logitsLayer(pass, hidden, headWeight(weights, language))
    const out = sampling.greedy ? logits : plan.tensor('probabilities', [rows, vocabulary])
    const { temperature, topK, topP, greedy } = sampling
    if (!greedy) probabilities(plan, { logits, out, temperature, topK, topP, rows, vocabulary })
    const drawn = { seeds, position, done, ids, history, endId, rows, vocabulary, capacity }
    sampleTokens(plan, { ...(greedy ? { logits, greedy } : { probabilities: out, greedy }), ...drawn })
  }
  const { hidden } = hiddenStates(pass, weights, shape, requests, packing, keep)
  draw(
    gather(
      pass,
      hidden,
      owners.map(owner => packing.lastRows[owner]),
    ),
  )

  plan.segment('step')
  const embeddings = plan.tensor('embeddings', [count, language.hidden])
  const destinations = list(
    'destinations',
    owners.map((_, i) => i),
  )
  const offsets = list(
    'offsets',
    Array.from({ length: count + 1 }, (_, i) => i),
  )
  const from = embeddingTable(weights).value
  gatherRows(plan, {
    from,
    into: embeddings,
    destinations,
    offsets,
    items: ids,
    segments: count,
    accumulate: false,
  })
  const prefixStarts = list(
    'prefix starts',
    owners.map(owner => packing.prompts[owner].start),
  )
  const prefixLengths = list(
    'prefix lengths',
    owners.map(owner => packing.prompts[owner].length),
  )
  const longest = Math.max(...packing.prompts.map(prompt => prompt.length))
  const tables = rotationTables(plan, longest + capacity, language.headSize, language.ropeTheta)
  const attend: Attend = (layer, q, newKeys, newValues) => {
    const [keys, values] = [keyCache[layer], valueCache[layer]]
    cacheRows(plan, { from: newKeys, cache: keys, position, sequences: count, width, capacity })
    cacheRows(plan, { from: newValues, cache: values, position, sequences: count, width, capacity })
    const out = plan.tensor('attention', q.shape)
    decodeAttention(plan, {
      q,
      prefixKeys: prefixKeys[layer],
      prefixValues: prefixValues[layer],
      prefixStarts,
      prefixLengths,
      keys,
      values,
      position,
      out,
      sequences: count,
      heads: language.heads,
      keyValueHeads: language.keyValueHeads,
      headSize: language.headSize,
      capacity,
      scale: language.headSize ** -0.5,
    })
    return out
  }
  const next = languageModel(pass, weights, language, embeddings, { ...tables, positions }, attend)
  advance(plan, { position })
  advance(plan, { position: positions })
  draw(next)
  return { position, done, history }
}

function cut(ids: Int32Array, endIds: readonly number[]): number[] {
  const end = ids.findIndex(id => endIds.includes(id))
  return Array.from(end < 0 ? ids : ids.subarray(0, end + 1))
}
