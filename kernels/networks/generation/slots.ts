import { advance } from '../../decode/key-value-cache.ts'
import type { Tensor, TensorCopy } from '../../device/tensor.ts'
import { copy } from '../../elementwise/copy.ts'
import { gather } from '../../layers/gather.ts'
import { logits as logitsLayer } from '../../layers/head.ts'
import { Pass } from '../../layers/pass.ts'
import { derived } from '../../plan/derived.ts'
import type { Recording } from '../../plan/recording.ts'
import { compileOrReuse } from '../../plan/reuse.ts'
import { hiddenStates } from '../hidden-states.ts'
import { headWeight } from '../language-weights.ts'
import { extentsOf, type Packed, pack, packFor, visualTokensOf } from '../packing.ts'
import { type VideoModel, withOwnInputs } from '../video-model.ts'
import type { PromptRequest } from './batch-writer.ts'
import { canStepFast, fastSteps } from './fast-steps.ts'
import { type PromptExtent, plainSteps, type Steps } from './plain-steps.ts'
import { type DrawState, drawNext, initialDrawState, type Sampling } from './token-drawing.ts'

export interface SlotSizes {
  /** Prompts that are continued at the same time. */
  slots: number
  /** Completions of a prompt. */
  count: number
  /** Rows of the longest prompt. */
  room: number
  /** No prompt has a token at this position or after it. */
  positions: number
  /** Tokens of the longest completion. */
  capacity: number
}

/** Places on the GPU, each for a prompt and its completions: one gets a new prompt while the others continue. */
export interface Slots {
  readonly room: number
  readonly positions: number
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

/** The rows that a prompt takes, and the position after it. */
export function promptExtent(
  { shape, maxLength }: Omit<VideoModel, 'device'>,
  request: PromptRequest,
): PromptExtent {
  const [extent] = pack([request], visualTokensOf(shape), maxLength).prompts
  return extent
}

/** Rows, or positions, for the prompts of a slot: an eighth more than the longest prompt so far, since a later one may be longer. */
export const roomFor = (longest: number): number => Math.ceil((longest * 1.125) / 64) * 64

export async function openSlots(
  model: VideoModel,
  sizes: SlotSizes,
  sampling: Sampling,
  endId: number,
): Promise<Slots> {
  const { device, precision, weights } = model
  const { count, room, capacity } = sizes
  const { compiled, made } = await compileOrReuse(device, {
    owner: weights,
    label: 'slots',
    key: JSON.stringify([precision, sizes, sampling, endId]),
    precision,
    record: recording => recordSlots(recording, model, sizes, sampling, endId),
  })
  const { state, steps } = made
  compiled.run(['main'])
  return {
    room,
    positions: sizes.positions,
    async admit(slot, request) {
      const extent = promptExtent(model, request)
      const prefill = await compilePrefill(model, { request, steps, sampling, endId, capacity })
      prefill.compiled.run()
      const copies = (['ids', 'done', 'history', 'chances'] as const).map((name): TensorCopy => {
        const source = prefill.compiled.at(prefill.made.state[name])
        const into = state[name]
        return { source, into: compiled.at(into), at: slot * count * (into.shape[1] ?? 1) }
      })
      prefill.made.stored.forEach((stored, layer) => {
        const { width, ...store } = steps.promptStore(layer)
        for (const name of ['keys', 'values'] as const) {
          const { tensor, at } = store[name]
          const source = prefill.compiled.at(stored[name])
          const first = at + slot * room * width
          copies.push({ source, into: compiled.at(tensor), at: first, count: extent.length * width })
        }
      })
      device.copyAll(copies)
      prefill.compiled.free()
      compiled.write(state.position, new Uint32Array(count), slot * count)
      compiled.write(state.seeds, Uint32Array.from(request.seeds), slot * count)
      for (const { into, at, data } of steps.promptWrites(slot, extent)) compiled.write(into, data, at)
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
  { slots, count, room, positions, capacity }: SlotSizes,
  sampling: Sampling,
  endId: number,
): { state: DrawState; steps: Steps } {
  const { weights, shape } = model
  recording.saturated = weights.lossScale?.forwardCuts
  const owners = Array.from({ length: slots * count }, (_, row) => Math.floor(row / count))
  const seeds = owners.map(() => 0)
  const state = initialDrawState(recording, () => seeds, capacity)
  const { position, ids } = state
  const isFast = canStepFast(recording, weights, shape.language)
  const prompts = Array.from({ length: slots }, (_, i) => ({ start: i * room, length: 0, next: 0, room }))
  const recordSteps = isFast ? fastSteps : plainSteps
  const steps = recordSteps(recording, model, {
    owners,
    prompts: () => prompts,
    rows: slots * room,
    positions,
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
  request: PromptRequest
  /** The packing of the request. */
  packed: Packed
  steps: Steps
  sampling: Sampling
  endId: number
  capacity: number
}

/** The recording of a prefill, with the features of its prompt in place. */
async function compilePrefill(model: VideoModel, options: Omit<PrefillOptions, 'packed'>) {
  const { device, weights, precision } = model
  const { request, steps, ...rest } = options
  const packed = packFor(model, [request])
  const input = request.features ?? request.pixels
  const extents = [extentsOf(packed.packing), request.seeds.length, input?.shape]
  const { compiled, made } = await compileOrReuse(device, {
    owner: weights,
    label: 'prefill',
    key: JSON.stringify([precision, rest, extents]),
    precision,
    record: recording => recordPrefill(recording, model, { ...options, packed }),
    renew: earlier => {
      earlier.packed.packing = packed.packing
      earlier.seeds.list = request.seeds
    },
  })
  for (const own of made.inputs) if (input) device.copy(input, compiled.at(own))
  return { compiled, made }
}

/** Prefills a prompt, stores its keys and values by layer, and draws the first token of its completions. */
export function recordPrefill(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  { request, packed, steps, sampling, endId, capacity }: PrefillOptions,
) {
  const { weights, shape } = model
  recording.saturated = weights.lossScale?.forwardCuts
  const { language } = shape
  const pass = new Pass(recording, false)
  const { own, inputs } = withOwnInputs(recording, [request])
  const stored: { keys: Tensor; values: Tensor }[] = []
  const { hidden } = hiddenStates(pass, model, {
    sequences: own,
    packed,
    onKeysAndValues(layer, keys, values) {
      const { type } = steps.promptStore(layer).keys.tensor
      const copies = [keys, values].map(from => {
        const into = recording.pin(`stored ${from.label}`, from.shape, type)
        copy(recording, { from, into })
        return into
      })
      stored[layer] = { keys: copies[0], values: copies[1] }
    },
  })
  const lastRows = derived(
    () => packed.packing,
    packing => request.seeds.map(() => packing.lastRows[0]),
  )
  const last = gather(pass, hidden, lastRows)
  const seeds = { list: request.seeds }
  const state = initialDrawState(recording, () => seeds.list, capacity)
  const isFast = canStepFast(recording, weights, language)
  const logits = logitsLayer(pass, last, headWeight(weights, language))
  drawNext(recording, logits, state, sampling, { endId, isFast })
  return { state, packed, seeds, inputs, stored }
}
