import { advance } from '../../decode/key-value-cache.ts'
import type { Tensor } from '../../device/tensor.ts'
import { copy } from '../../elementwise/copy.ts'
import { gather } from '../../layers/gather.ts'
import { logits as logitsLayer } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { derived } from '../../plan/derived.ts'
import type { Recording } from '../../plan/recording.ts'
import { compileOrReuse } from '../../plan/reuse.ts'
import { hiddenStates } from '../hidden-states.ts'
import { headWeight } from '../language-weights.ts'
import { extentsOf, type Packed, packFor, rowStep, type Sequence } from '../packing.ts'
import { type VideoModel, withOwnInputs } from '../video-model.ts'
import { canStepFast, fastSteps } from './fast-steps.ts'
import { plainSteps, promptsOf } from './plain-steps.ts'
import { drawNext, initialDrawState, type Sampling } from './token-drawing.ts'

/** A completion in tokens. */
export interface Completion {
  /** Up to one of `endIds`, a stop, or `maxNewTokens`. */
  ids: number[]
  /** Log-probability of each id in the distribution from which it was drawn; undefined when greedy. */
  logProbs?: number[]
  /** Whether an end token or a stop ended it. */
  finished: boolean
}

/** A prompt and the seeds of its completions. */
export interface PromptRequest extends Sequence {
  /** A 32-bit seed for each completion, whose tokens depend only on it, the prompt, the weights and the sampling. */
  seeds: readonly number[]
}

export interface GenerateOptions {
  maxNewTokens: number
  /** Tokens that end a completion; if empty, each has `maxNewTokens`. */
  endIds: readonly number[]
  signal?: AbortSignal
  /**
   * The number of ids to keep of a completion that must stop, else undefined. Called once a block with all ids so far; for a
   * longer list that begins with the same ids the number must be the same.
   */
  stop?: (ids: readonly number[]) => number | undefined
  /** Called after each token with all ids of the first completion; the GPU then waits for the host after each one. */
  onTokens?: (ids: readonly number[]) => void
}

/** An id that is never drawn. */
export const noToken = 0xffffffff

/** Tokens that are drawn between two looks of the host at which sequences have ended. */
export const blockSize = 8

/** The token ids of the completions that `writeCompletions` returns. */
export async function generate(
  model: VideoModel,
  requests: readonly PromptRequest[],
  sampling: Sampling,
  options: GenerateOptions,
): Promise<number[][][]> {
  const groups = await writeCompletions(model, requests, sampling, options)
  return groups.map(group => group.map(({ ids }) => ids))
}

/**
 * Writes the completions of all requests, side by side: each prompt is prefilled once, and its completions share its keys and
 * values. Returns the completions of each request, by seed.
 */
export async function writeCompletions(
  model: VideoModel,
  requests: readonly PromptRequest[],
  sampling: Sampling,
  options: GenerateOptions,
): Promise<Completion[][]> {
  const { maxNewTokens: capacity, endIds, signal, onTokens, stop } = options
  const endId = endIds[0] ?? noToken
  const { compiled, state } = await compileGeneration(model, { requests, sampling, capacity, endId })
  const owners = ownersOf(requests)
  const truncated = (history: Int32Array, count: number): Completion[] =>
    owners.map((_, row) => truncateAtEnd(history.subarray(row * capacity, row * capacity + count), options))
  const haveAllEnded = async (count: number): Promise<boolean> => {
    if (!stop) return (await compiled.readIntegers(state.done)).every(flag => flag !== 0)
    return truncated(await compiled.readIntegers(state.history), count).every(({ finished }) => finished)
  }
  try {
    await model.device.turn()
    compiled.run(['main'])
    let count = 1
    // The host reads this one block late, so that the GPU never waits for it.
    let ended = haveAllEnded(count)
    while (count < capacity && !signal?.aborted) {
      if (onTokens) {
        const history = await compiled.readIntegers(state.history)
        onTokens(truncateAtEnd(history.subarray(0, count), options).ids)
      }
      await model.device.turn()
      const steps = Math.min(onTokens ? 1 : blockSize, capacity - count)
      compiled.run(Array.from({ length: steps }, () => 'step'))
      count += steps
      const hadEnded = await ended
      ended = haveAllEnded(count)
      if (hadEnded) break
    }
    await ended
    const history = await compiled.readIntegers(state.history)
    const chances = sampling.greedy ? undefined : await compiled.read(state.chances)
    const completions = truncated(history, count).map((row, i) =>
      withLogProbs(row, chances?.subarray(i * capacity, i * capacity + row.ids.length)),
    )
    return requests.map((_, i) => completions.filter((_, row) => owners[row] === i))
  } finally {
    compiled.free()
  }
}

/** The recording of a generation, with the features of the requests in place. */
async function compileGeneration(model: VideoModel, options: Omit<GenerationOptions, 'packed'>) {
  const { device, weights, precision } = model
  const { requests, ...rest } = options
  const packed = packFor(model, requests)
  const inputs = requests.flatMap(({ features, pixels }) => features ?? pixels ?? [])
  const extents = [
    extentsOf(packed.packing),
    promptsOf(packed, rowStep(device))
      .prompts()
      .map(({ room }) => room),
  ]
  const shapes = [requests.map(({ seeds }) => seeds.length), inputs.map(input => input.shape)]
  const { compiled, made } = await compileOrReuse(device, {
    owner: weights,
    label: 'generation',
    key: JSON.stringify([precision, rest, extents, shapes]),
    precision,
    record: recording => recordGeneration(recording, model, { ...options, packed }),
    renew: earlier => {
      earlier.packed.packing = packed.packing
      earlier.seeds.list = seedsOf(requests)
    },
  })
  for (const [i, input] of inputs.entries()) device.copy(input, compiled.at(made.inputs[i]))
  return { compiled, state: made.state }
}

const seedsOf = (requests: readonly PromptRequest[]): number[] => requests.flatMap(request => request.seeds)

/** For each completion, the index of its request. */
const ownersOf = (requests: readonly PromptRequest[]): number[] =>
  requests.flatMap((request, i) => request.seeds.map(() => i))

/** The completion with the logarithms of its tokens' probabilities, if these were drawn. */
export const withLogProbs = (completion: Completion, chances: Float32Array | undefined): Completion =>
  chances ? { ...completion, logProbs: Array.from(chances, Math.log) } : completion

export interface GenerationOptions {
  requests: readonly PromptRequest[]
  /** The packing of the requests. */
  packed: Packed
  sampling: Sampling
  /** Tokens of the longest completion. */
  capacity: number
  endId: number
}

/** Segment `main` prefills and draws the first token of each completion; `step` draws one more. */
export function recordGeneration(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  { requests, packed, sampling, capacity, endId }: GenerationOptions,
) {
  const { shape, weights } = model
  const { language } = shape
  recording.saturated = weights.lossScale?.forwardCuts
  const pass = new Pass(recording, false)
  const owners = ownersOf(requests)
  const seeds = { list: seedsOf(requests) }
  const state = initialDrawState(recording, () => seeds.list, capacity)
  const { position, ids } = state
  const isFast = canStepFast(recording, weights, language)
  const recordSteps = isFast ? fastSteps : plainSteps
  const prompts = promptsOf(packed, rowStep(recording.target))
  const steps = recordSteps(recording, model, { owners, ...prompts, capacity, position, ids })
  const { own, inputs } = withOwnInputs(recording, requests)
  const { hidden } = hiddenStates(pass, model, {
    sequences: own,
    packed,
    onKeysAndValues(layer, keys, values) {
      const store = steps.promptStore(layer)
      copy(recording, { from: keys, into: store.keys.tensor, at: store.keys.at })
      copy(recording, { from: values, into: store.values.tensor, at: store.values.at })
    },
  })
  const lastRows = derived(
    () => packed.packing,
    packing => owners.map(owner => packing.lastRows[owner]),
  )
  const last = gather(pass, hidden, lastRows)
  const draw = (logits: Tensor) => drawNext(recording, logits, state, sampling, { endId, isFast })
  draw(logitsLayer(pass, last, headWeight(weights, language)))

  recording.segment('step')
  const logits = steps.recordStep()
  advance(recording, { position, limit: capacity })
  draw(logits)
  return { state, packed, seeds, inputs }
}

/** The completion of the tokens drawn for it: up to the first end token, and no longer than a stop says. */
export function truncateAtEnd(
  drawn: Int32Array,
  { endIds, stop }: Pick<GenerateOptions, 'endIds' | 'stop'>,
): Completion {
  const end = drawn.findIndex(id => endIds.includes(id))
  const ids = Array.from(end < 0 ? drawn : drawn.subarray(0, end + 1))
  const length = stop?.(ids)
  return length === undefined ? { ids, finished: end >= 0 } : { ids: ids.slice(0, length), finished: true }
}
