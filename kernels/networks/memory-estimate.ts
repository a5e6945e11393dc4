// What passes of a model take, found by recording them for no device.

import type { Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { Pass } from '../layers/pass.ts'
import { recordingBytes } from '../plan/memory.ts'
import { type Precision, Recording } from '../plan/recording.ts'
import { type AdapterSizes, attachAdapters } from './adapters.ts'
import { recordGeneration } from './generation/batch-writer.ts'
import { canStepFast } from './generation/fast-steps.ts'
import { recordPrefill, recordSlots, roomFor } from './generation/slots.ts'
import type { Sampling } from './generation/token-drawing.ts'
import { imagePlaceholderId } from './packing.ts'
import { type Allocator, allocateParameters } from './parameters.ts'
import { type ModelShape, selectedTokens, visualTokens } from './shape.ts'
import { framesAtOnce, recordForward, type VideoModel } from './video-model.ts'
import { trainsVision, visionTower } from './vision-tower.ts'

/** A model whose weights have places but no contents. */
export interface DevicelessModel extends Omit<VideoModel, 'device'> {
  readonly weightBytes: number
  /** Of the gradients of trained weights. */
  readonly gradientBytes: number
}

export interface DevicelessModelOptions {
  shape: ModelShape
  /** Shapes of the weights by name. */
  weights: ReadonlyMap<string, readonly number[]>
  trained: (name: string) => boolean
  precision: Precision
  maxLength: number
  adapter?: AdapterSizes | undefined
}

/** Kernels of a hardware GPU, with matrix units for float16, which gains little without them. */
const targetOf = (precision: Precision): Target => {
  return { family: 'gpu', units: precision === 'float16' ? 'native' : 'none', subgroupSize: 32 }
}

/** What most of them offer, less a little. */
const maxBindingBytes = 2 ** 31 - 4

export function devicelessModel(options: DevicelessModelOptions): DevicelessModel {
  const { shape, precision, maxLength, adapter } = options
  const bytes = { weights: 0, gradients: 0 }
  const memory: Allocator = {
    maxBindingBytes,
    maxBufferBytes: Number.POSITIVE_INFINITY,
    allocate: (label, size) => {
      bytes[label === 'gradients' ? 'gradients' : 'weights'] += size
      return noBuffer
    },
    free() {},
  }
  const base = allocateParameters(memory, options.weights, options.trained, precision)
  const weights = adapter ? attachAdapters(memory, base, adapter) : base
  return { shape, weights, precision, maxLength, weightBytes: bytes.weights, gradientBytes: bytes.gradients }
}

/** The vision tower over the frames of one clip. */
export function visionBytes({ shape, weights, precision }: DevicelessModel, frames: number): number {
  const { vision } = shape
  const [{ count }] = framesAtOnce(maxBindingBytes, vision, frames)
  const recording = new Recording(targetOf(precision), precision)
  const pixels = outside('pixels', [count, vision.channels, vision.imageSize, vision.imageSize])
  const features = outside('features', [count * selectedTokens(vision), vision.hidden])
  visionTower(new Pass(recording, false), weights, vision, pixels, features, 0)
  return recordingBytes(recording, maxBindingBytes)
}

/** Sequences alike: their prompts' ids in text beside the frames of a clip, and completions of that length. */
export interface Extent {
  sequences: number
  textTokens: number
  frames: number
  completions: number
  length: number
}

/** One pass over sequences, with its backward when it trains. Every token of completions is supervised. */
export function passBytes(model: DevicelessModel, extent: Extent, training: boolean): number {
  const recording = new Recording(targetOf(model.precision), model.precision)
  const completions = Array.from({ length: extent.completions }, () => ids(extent.length))
  const sequences = Array.from({ length: extent.sequences }, () => ({
    ...promptOf(model, extent),
    completions,
  }))
  recordForward(recording, model, sequences, training, 1)
  return recordingBytes(recording, maxBindingBytes)
}

/** Writing completions of sequences as one batch: all of it, and the keys and values in that. */
export function generationBytes(
  model: DevicelessModel,
  extent: Extent,
  sampling: Sampling,
): { total: number; cache: number } {
  const recording = new Recording(targetOf(model.precision), model.precision)
  const seeds = ids(extent.completions)
  const requests = Array.from({ length: extent.sequences }, () => ({ ...promptOf(model, extent), seeds }))
  const owners = requests.flatMap((_, i) => seeds.map(() => i))
  recordGeneration(recording, model, requests, owners, sampling, extent.length, 0)
  return { total: recordingBytes(recording, maxBindingBytes), cache: cacheBytes(recording, model, extent) }
}

/** Writing completions in so many slots: all of it while one is prefilled, and the keys and values in that. */
export function slotBytes(
  model: DevicelessModel,
  extent: Extent,
  sampling: Sampling,
): { total: number; cache: number } {
  const [recording, prefill] = [0, 1].map(() => new Recording(targetOf(model.precision), model.precision))
  const { sequences: slots, completions: count, length: capacity } = extent
  const room = roomFor(visualTokens(model.shape.connector) + extent.textTokens)
  const { steps } = recordSlots(recording, model, { slots, count, room, capacity }, sampling, 0)
  const placed = (tensor: Tensor) => ({ ...tensor, storage: { buffer: noBuffer, offsetBytes: 0 } })
  const into = { recording: prefill, start: 0, placed }
  const request = { ...promptOf(model, extent), seeds: ids(count) }
  recordPrefill(prefill, model, request, { steps, into, sampling, endId: 0, capacity })
  const total = recordingBytes(recording, maxBindingBytes) + recordingBytes(prefill, maxBindingBytes)
  return { total, cache: cacheBytes(recording, model, extent) }
}

function cacheBytes(recording: Recording, model: DevicelessModel, extent: Extent): number {
  const { layers, keyValueHeads, headSize } = model.shape.language
  const positions =
    extent.sequences * (visualTokens(model.shape.connector) + extent.textTokens) +
    extent.sequences * extent.completions * extent.length
  const bytes = canStepFast(recording, model.weights, model.shape.language) ? 2 : 4
  return 2 * layers * keyValueHeads * headSize * positions * bytes
}

function promptOf({ shape: { vision }, weights }: DevicelessModel, { textTokens, frames }: Extent) {
  if (trainsVision(weights)) {
    const { channels, imageSize } = vision
    const pixels = outside('pixels', [frames, channels, imageSize, imageSize])
    return { ids: [imagePlaceholderId, ...ids(textTokens)], pixels }
  }
  const features = outside('features', [frames * selectedTokens(vision), vision.hidden])
  return { ids: [imagePlaceholderId, ...ids(textTokens)], features }
}

const ids = (count: number): number[] => new Array(count).fill(0)

/** A tensor that a plan does not place. */
const outside = (label: string, shape: readonly number[]): Tensor => {
  return { label, shape, type: 'f32', storage: { buffer: noBuffer, offsetBytes: 0 } }
}

// on paper nothing is written or run: only that a tensor has a buffer counts
const noBuffer = {} as GPUBuffer
