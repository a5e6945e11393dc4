import { advance } from '../../decode/key-value-cache.ts'
import type { Tensor } from '../../device/tensor.ts'
import { gather } from '../../layers/gather.ts'
import { logits as logitsLayer } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { compile } from '../../plan/compile.ts'
import { Recording } from '../../plan/recording.ts'
import { hiddenStates } from '../hidden-states.ts'
import { type Attend, headWeight } from '../language-model.ts'
import { pack, type Sequence } from '../packing.ts'
import { visualTokens } from '../shape.ts'
import type { VideoModel } from '../video-model.ts'
import { canStepFast, fastSteps } from './fast-steps.ts'
import { plainSteps, promptsOf } from './plain-steps.ts'
import { type DrawState, drawNext, initialDrawState, type Sampling } from './token-drawing.ts'

/** A completion in tokens. */
export interface Completion {
  /** Ended by one of `endIds`, by a stop, or cut at `maxNewTokens`. */
  ids: number[]
  /** Log-probability of each id under the distribution that it was drawn from; of greedy ones there is none. */
  logProbs?: number[]
  /** Ended by itself. */
  finished: boolean
}

/** One prompt and the seeds of the completions wanted for it. */
export interface PromptRequest extends Sequence {
  /** One 32-bit seed a completion; its tokens depend on nothing else but prompt, weights and sampling. */
  seeds: readonly number[]
}

export interface GenerateOptions {
  maxNewTokens: number
  /** Tokens that end a completion; with none it is as long as it may be. */
  endIds: readonly number[]
  signal?: AbortSignal
  /**
   * How many of the ids belong to a completion that must stop there, or undefined. Asked once a block about all ids so
   * far; the answer for longer lists must be the same.
   */
  stop?: (ids: readonly number[]) => number | undefined
  /** Told all ids of the first completion so far after each token, at the price of waiting for every one. */
  onTokens?: (ids: readonly number[]) => void
}

/** An id that is never drawn. */
export const noToken = 0xffffffff

/** Tokens in flight before the host looks which sequences have ended. */
export const blockSize = 8

/** Writes completions as `write` does; only their token ids, for each request and seed. */
export async function generate(
  model: VideoModel,
  requests: readonly PromptRequest[],
  sampling: Sampling,
  options: GenerateOptions,
): Promise<number[][][]> {
  const written = await writeCompletions(model, requests, sampling, options)
  return written.map(rows => rows.map(({ ids }) => ids))
}

/**
 * Writes completions for all requests as one batch: each prompt is prefilled once, its keys and values are shared by
 * its completions. Returns them for each request and seed.
 */
export async function writeCompletions(
  model: VideoModel,
  requests: readonly PromptRequest[],
  sampling: Sampling,
  options: GenerateOptions,
): Promise<Completion[][]> {
  const { maxNewTokens, endIds, signal, onTokens, stop } = options
  const recording = new Recording(model.device, model.precision)
  const owners = requests.flatMap((request, i) => request.seeds.map(() => i))
  const state = recordGeneration(
    recording,
    model,
    requests,
    owners,
    sampling,
    maxNewTokens,
    endIds[0] ?? noToken,
  )
  const compiled = await compile(model.device, recording, 'generation')
  const rowsOf = (history: Int32Array, written: number): Ending[] =>
    owners.map((_, row) =>
      truncateAtEnd(history.subarray(row * maxNewTokens, row * maxNewTokens + written), options),
    )
  const look = async (written: number): Promise<boolean> => {
    if (!stop) return (await compiled.readIntegers(state.done)).every(flag => flag !== 0)
    return rowsOf(await compiled.readIntegers(state.history), written).every(({ finished }) => finished)
  }
  try {
    compiled.run(['main'])
    let written = 1
    // Looked at one block late, so that the GPU never waits for the host.
    let ended = look(written)
    while (written < maxNewTokens && !signal?.aborted) {
      if (onTokens) {
        const history = await compiled.readIntegers(state.history)
        onTokens(truncateAtEnd(history.subarray(0, written), options).ids)
      }
      const steps = Math.min(onTokens ? 1 : blockSize, maxNewTokens - written)
      compiled.run(Array.from({ length: steps }, () => 'step'))
      written += steps
      const previous = await ended
      ended = look(written)
      if (previous) break
    }
    await ended
    const history = await compiled.readIntegers(state.history)
    const chances = sampling.greedy ? undefined : await compiled.read(state.chances)
    const completions = rowsOf(history, written).map((row, i): Completion => {
      const own = chances?.subarray(i * maxNewTokens, i * maxNewTokens + row.ids.length)
      return own ? { ...row, logProbs: Array.from(own, Math.log) } : row
    })
    return requests.map((_, i) => completions.filter((_, row) => owners[row] === i))
  } finally {
    compiled.free()
  }
}

/** Segment `main` prefills and draws the first token; `step` draws one more. */
export function recordGeneration(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  requests: readonly PromptRequest[],
  owners: readonly number[],
  sampling: Sampling,
  capacity: number,
  endId: number,
): DrawState {
  const { shape, weights } = model
  const { language } = shape
  recording.saturated = weights.lossScale?.forwardCuts
  const pass = new Pass(recording, false)
  const packing = pack(requests, visualTokens(shape.connector), model.maxLength)
  const seeds = requests.flatMap(request => request.seeds)
  const drawn = initialDrawState(recording, seeds, capacity)
  const { position, ids } = drawn
  const isFast = canStepFast(recording, weights, language)
  const steps = (isFast ? fastSteps : plainSteps)(recording, model, {
    ...{ owners, ...promptsOf(packing), capacity, position, ids },
  })
  const keep =
    (attend: Attend): Attend =>
    (layer, queries, keys, values) => {
      steps.storePrompt(layer, keys, values, { recording, start: 0 })
      return attend(layer, queries, keys, values)
    }
  const { hidden } = hiddenStates(pass, weights, shape, requests, packing, keep)
  const last = gather(
    pass,
    hidden,
    owners.map(owner => packing.lastRows[owner]),
  )
  const draw = (logits: Tensor) => drawNext(recording, logits, drawn, sampling, { endId, isFast })
  draw(logitsLayer(pass, last, headWeight(weights, language)))

  recording.segment('step')
  const logits = steps.recordStep()
  advance(recording, { position, limit: capacity })
  draw(logits)
  return drawn
}

export interface Ending {
  ids: number[]
  finished: boolean
}

/** Cuts what was drawn after the end, or where a stop says. */
export function truncateAtEnd(
  drawn: Int32Array,
  { endIds, stop }: Pick<GenerateOptions, 'endIds' | 'stop'>,
): Ending {
  const end = drawn.findIndex(id => endIds.includes(id))
  const ids = Array.from(end < 0 ? drawn : drawn.subarray(0, end + 1))
  const stopped = stop?.(ids)
  return stopped === undefined ? { ids, finished: end >= 0 } : { ids: ids.slice(0, stopped), finished: true }
}
