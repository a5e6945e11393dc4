import { advance } from '../../decode/key-value-cache.ts'
import type { Tensor } from '../../device/tensor.ts'
import { gather } from '../../layers/gather.ts'
import { logits as logitsLayer } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { compile } from '../../plan/compile.ts'
import { Recording } from '../../plan/recording.ts'
import { hiddenStates } from '../hidden-states.ts'
import { type Attend, headWeight } from '../language-model.ts'
import { pack } from '../packing.ts'
import { visualTokens } from '../shape.ts'
import type { VideoModel } from '../video-model.ts'
import type { PromptRequest } from './batch-writer.ts'
import { canStepFast, fastSteps } from './fast-steps.ts'
import { type PrefillTarget, plainSteps, type Steps } from './plain-steps.ts'
import { type DrawState, drawNext, initialDrawState, type Sampling } from './token-drawing.ts'

export interface SlotSizes {
  /** Prompts at once. */
  slots: number
  /** Completions of one prompt. */
  count: number
  /** Positions of the longest prompt. */
  room: number
  /** Tokens of the longest completion. */
  capacity: number
}

/** Places on the GPU for prompts and their completions, which are taken one by one while the others go on. */
export interface Slots {
  readonly room: number
  /** Prefills a prompt in place of what the slot held, and draws the first token of its completions. */
  admit(slot: number, request: PromptRequest): Promise<void>
  /** Draws so many more tokens of every sequence; one that has ended, or none, is drawn for too. */
  step(count: number): void
  /** The tokens (slots · count, capacity), by what is submitted so far. */
  readHistory(): Promise<Int32Array>
  /** The shares (slots · count, capacity) that they had of what they were drawn from. */
  readChances(): Promise<Float32Array>
  free(): void
}

/** How many positions a prompt takes. */
export function promptLength(
  { shape, maxLength }: Omit<VideoModel, 'device'>,
  request: PromptRequest,
): number {
  return pack([request], visualTokens(shape.connector), maxLength).rows
}

/** Positions that slots have for prompts when the longest so far takes these: an eighth more, for those to come. */
export const roomFor = (length: number): number => Math.ceil((length * 1.125) / 64) * 64

export async function openSlots(
  model: VideoModel,
  sizes: SlotSizes,
  sampling: Sampling,
  endId: number,
): Promise<Slots> {
  const { device, precision } = model
  const { count, room, capacity } = sizes
  const recording = new Recording(device, precision)
  const { drawn, steps } = recordSlots(recording, model, sizes, sampling, endId)
  const compiled = await compile(device, recording, 'slots')
  compiled.run(['main'])
  const placed = (tensor: Tensor) => compiled.at(tensor)
  return {
    room,
    async admit(slot, request) {
      const prefill = new Recording(device, precision)
      const into = { recording: prefill, start: slot * room, placed }
      const first = recordPrefill(prefill, model, request, { steps, into, sampling, endId, capacity })
      const ready = await compile(device, prefill, 'prefill')
      ready.run()
      for (const name of ['ids', 'done', 'history', 'chances'] as const) {
        const of = drawn[name]
        device.copy(ready.at(first[name]), placed(of), 0, slot * count * (of.shape[1] ?? 1))
      }
      ready.free()
      const length = promptLength(model, request)
      compiled.write(drawn.position, new Uint32Array(count), slot * count)
      compiled.write(drawn.seeds, Uint32Array.from(request.seeds), slot * count)
      for (const { into, at, data } of steps.promptWrites(slot, length)) compiled.write(into, data, at)
    },
    step: several => compiled.run(Array.from({ length: several }, () => 'step')),
    readHistory: () => compiled.readIntegers(drawn.history),
    readChances: () => compiled.read(drawn.chances),
    free: () => compiled.free(),
  }
}

/** Segment `main` makes ready what steps need; `step` draws a token of every sequence. */
export function recordSlots(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  { slots, count, room, capacity }: SlotSizes,
  sampling: Sampling,
  endId: number,
): { drawn: DrawState; steps: Steps } {
  const { weights, shape } = model
  recording.saturated = weights.lossScale?.forwardCuts
  const owners = Array.from({ length: slots * count }, (_, row) => Math.floor(row / count))
  const drawn = initialDrawState(
    recording,
    owners.map(() => 0),
    capacity,
  )
  const { position, ids } = drawn
  const isFast = canStepFast(recording, weights, shape.language)
  const prompts = Array.from({ length: slots }, (_, i) => ({ start: i * room, length: 0, room }))
  const steps = (isFast ? fastSteps : plainSteps)(recording, model, {
    ...{ owners, prompts, rows: slots * room, capacity, position, ids },
  })
  recording.segment('step')
  const logits = steps.recordStep()
  advance(recording, { position, limit: capacity })
  drawNext(recording, logits, drawn, sampling, { endId, isFast })
  return { drawn, steps }
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
  const keep =
    (attend: Attend): Attend =>
    (layer, queries, keys, values) => {
      steps.storePrompt(layer, keys, values, into)
      return attend(layer, queries, keys, values)
    }
  const { hidden } = hiddenStates(pass, weights, shape, [request], packing, keep)
  const last = gather(
    pass,
    hidden,
    request.seeds.map(() => packing.lastRows[0]),
  )
  const drawn = initialDrawState(recording, request.seeds, capacity)
  const isFast = canStepFast(recording, weights, language)
  drawNext(recording, logitsLayer(pass, last, headWeight(weights, language)), drawn, sampling, {
    endId,
    isFast,
  })
  return drawn
}
