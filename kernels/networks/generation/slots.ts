import { advance } from '../../decode/key-value-cache.ts'
import type { Tensor } from '../../device/tensor.ts'
import { gather } from '../../layers/gather.ts'
import { logits as logitsLayer } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { compile } from '../../plan/compile.ts'
import { Recording } from '../../plan/recording.ts'
import { hiddenStates } from '../hidden-states.ts'
import { headWeight } from '../language-model.ts'
import { pack } from '../packing.ts'
import { visualTokens } from '../shape.ts'
import type { VideoModel } from '../video-model.ts'
import type { PromptRequest } from './batch-writer.ts'
import { canStepFast, fastSteps } from './fast-steps.ts'
import { type PrefillTarget, plainSteps, type Steps } from './plain-steps.ts'
import { type DrawState, drawNext, initialDrawState, type Sampling } from './token-drawing.ts'

export interface SlotSizes {
  /** Prompts that are continued at the same time. */
  slots: number
  /** Completions of a prompt. */
  count: number
  /** Positions of the longest prompt. */
  room: number
  /** Tokens of the longest completion. */
  capacity: number
}

/** Places on the GPU, each for a prompt and its completions: one gets a new prompt while the others continue. */
export interface Slots {
  readonly room: number
  /** Prefills a prompt into a slot, in place of an earlier one, and draws the first token of its completions. */
  admit(slot: number, request: PromptRequest): Promise<void>
  /** Draws `count` more tokens of every sequence, also of those that have ended and of empty slots. */
  step(count: number): void
  /** The tokens (slots · count, capacity) that the steps submitted so far draw. */
  readHistory(): Promise<Int32Array>
  /** The probability (slots · count, capacity) of each in the distribution from which it was drawn. */
  readChances(): Promise<Float32Array>
  free(): void
}

/** The number of positions that a prompt takes. */
export function promptLength(
  { shape, maxLength }: Omit<VideoModel, 'device'>,
  request: PromptRequest,
): number {
  return pack([request], visualTokens(shape.connector), maxLength).rows
}

/** Positions for the prompts of a slot: an eighth more than the longest prompt so far, since a later one may be longer. */
export const roomFor = (longest: number): number => Math.ceil((longest * 1.125) / 64) * 64

export async function openSlots(
  model: VideoModel,
  sizes: SlotSizes,
  sampling: Sampling,
  endId: number,
): Promise<Slots> {
  const { device, precision } = model
  const { count, room, capacity } = sizes
  const recording = new Recording(device, precision)
  const { state, steps } = recordSlots(recording, model, sizes, sampling, endId)
  const compiled = await compile(device, recording, 'slots')
  compiled.run(['main'])
  const locate = (tensor: Tensor) => compiled.at(tensor)
  return {
    room,
    async admit(slot, request) {
      const prefill = new Recording(device, precision)
      const into = { recording: prefill, start: slot * room, locate }
      const first = recordPrefill(prefill, model, request, { steps, into, sampling, endId, capacity })
      const compiledPrefill = await compile(device, prefill, 'prefill')
      compiledPrefill.run()
      for (const name of ['ids', 'done', 'history', 'chances'] as const) {
        const tensor = state[name]
        device.copy(compiledPrefill.at(first[name]), locate(tensor), 0, slot * count * (tensor.shape[1] ?? 1))
      }
      compiledPrefill.free()
      const length = promptLength(model, request)
      compiled.write(state.position, new Uint32Array(count), slot * count)
      compiled.write(state.seeds, Uint32Array.from(request.seeds), slot * count)
      for (const { into, at, data } of steps.promptWrites(slot, length)) compiled.write(into, data, at)
    },
    step: steps => compiled.run(Array.from({ length: steps }, () => 'step')),
    readHistory: () => compiled.readIntegers(state.history),
    readChances: () => compiled.read(state.chances),
    free: () => compiled.free(),
  }
}

/** Segment `main` prepares the tensors of the steps; `step` draws a token of every sequence. */
export function recordSlots(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  { slots, count, room, capacity }: SlotSizes,
  sampling: Sampling,
  endId: number,
): { state: DrawState; steps: Steps } {
  const { weights, shape } = model
  recording.saturated = weights.lossScale?.forwardCuts
  const owners = Array.from({ length: slots * count }, (_, row) => Math.floor(row / count))
  const seeds = owners.map(() => 0)
  const state = initialDrawState(recording, seeds, capacity)
  const { position, ids } = state
  const isFast = canStepFast(recording, weights, shape.language)
  const prompts = Array.from({ length: slots }, (_, i) => ({ start: i * room, length: 0, room }))
  const recordSteps = isFast ? fastSteps : plainSteps
  const steps = recordSteps(recording, model, {
    owners,
    prompts,
    rows: slots * room,
    capacity,
    position,
    ids,
  })
  recording.segment('step')
  const logits = steps.recordStep()
  advance(recording, { position, limit: capacity })
  drawNext(recording, logits, state, sampling, { endId, isFast })
  return { state, steps }
}

interface PrefillOptions {
  steps: Steps
  into: PrefillTarget
  sampling: Sampling
  endId: number
  capacity: number
}

/** Prefills a prompt and draws the first token of its completions. */
export function recordPrefill(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  request: PromptRequest,
  { steps, into, sampling, endId, capacity }: PrefillOptions,
): DrawState {
  const { weights, shape } = model
  recording.saturated = weights.lossScale?.forwardCuts
  const { language } = shape
  const pass = new Pass(recording, false)
  const packing = pack([request], visualTokens(shape.connector), model.maxLength)
  const { hidden } = hiddenStates(pass, model, {
    sequences: [request],
    packing,
    onKeysAndValues: (layer, keys, values) => steps.storePrompt(layer, keys, values, into),
  })
  const last = gather(
    pass,
    hidden,
    request.seeds.map(() => packing.lastRows[0]),
  )
  const state = initialDrawState(recording, request.seeds, capacity)
  const isFast = canStepFast(recording, weights, language)
  const logits = logitsLayer(pass, last, headWeight(weights, language))
  drawNext(recording, logits, state, sampling, { endId, isFast })
  return state
}
