// The GPU memory of passes of a model, computed from their recordings: no device is opened, nothing is allocated or run.

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
import { imagePlaceholderId, packFor } from './packing.ts'
import { type Allocator, allocateParameters, type IntegersOf } from './parameters.ts'
import { featureShape, featuresOf, type ModelShape, type Tower } from './shape.ts'
import { recordTower, trainsVision } from './tower-features.ts'
import { framesAtOnce, recordForward, type VideoModel } from './video-model.ts'

/** A model whose weights have shapes but no memory: its passes can be recorded, not run. */
export interface DevicelessModel extends Omit<VideoModel, 'device'> {
  readonly weightBytes: number
  /** Bytes of the gradients of trained weights. */
  readonly gradientBytes: number
  /** Tokens of text that a prompt has for each frame. */
  readonly frameWords: number
}

export interface DevicelessModelOptions {
  shape: ModelShape
  /** Shapes of the weights by name. */
  weights: ReadonlyMap<string, readonly number[]>
  trained: (name: string) => boolean
  precision: Precision
  maxLength: number
  frameWords: number
  adapter?: AdapterSizes | undefined
  integersOf?: IntegersOf | undefined
}

/** The GPU for which passes are recorded: with matrix units if products are in float16. */
const targetOf = (precision: Precision): Target => {
  return { family: 'gpu', units: precision === 'float16' ? 'native' : 'none', subgroupSize: 32 }
}

/** Bytes of the largest binding on most GPUs. */
const maxBindingBytes = 2 ** 31 - 4

export function devicelessModel(options: DevicelessModelOptions): DevicelessModel {
  const { shape, precision, maxLength, frameWords, adapter, integersOf } = options
  const bytes = { weights: 0, gradients: 0 }
  const counter: Allocator = {
    maxBindingBytes,
    maxBufferBytes: Number.POSITIVE_INFINITY,
    allocate: (label, size) => {
      bytes[label === 'gradients' ? 'gradients' : 'weights'] += size
      return noBuffer
    },
    free() {},
  }
  const base = allocateParameters(counter, options.weights, options.trained, precision, integersOf)
  const weights = adapter ? attachAdapters(counter, base, adapter) : base
  const { weights: weightBytes, gradients: gradientBytes } = bytes
  return { shape, weights, precision, maxLength, frameWords, weightBytes, gradientBytes }
}

/** Bytes of the vision tower over the frames of one clip. */
export function visionBytes({ shape, weights, precision }: DevicelessModel, frames: number): number {
  const { vision } = shape
  const [{ count }] = framesAtOnce(maxBindingBytes, vision, assumedPixels(vision, frames))
  const recording = new Recording(targetOf(precision), precision)
  const pixels = outside('pixels', assumedPixels(vision, count))
  const features = outside('features', featureShape(vision, pixels.shape))
  recordTower(new Pass(recording, false), weights, vision, pixels, features)
  return recordingBytes(recording, maxBindingBytes)
}

/** The size of a pass over equal sequences: text tokens and frames of each prompt, number and length of its completions. */
export interface Extent {
  sequences: number
  textTokens: number
  frames: number
  completions: number
  length: number
}

/** Bytes of one pass over sequences, with the backward when it trains. Every token of the completions is supervised. */
export function passBytes(model: DevicelessModel, extent: Extent, training: boolean): number {
  const recording = new Recording(targetOf(model.precision), model.precision)
  const completions = Array.from({ length: extent.completions }, () => ids(extent.length))
  const sequences = Array.from({ length: extent.sequences }, () => ({
    ...promptOf(model, extent),
    completions,
  }))
  const packed = packFor({ ...model, device: recording.target }, sequences)
  recordForward(recording, model, { sequences, packed, training, temperature: 1 })
  return recordingBytes(recording, maxBindingBytes)
}

/** Bytes of writing the completions of all sequences side by side: in total, and for keys and values. */
export function generationBytes(
  model: DevicelessModel,
  extent: Extent,
  sampling: Sampling,
): { total: number; cache: number } {
  const recording = new Recording(targetOf(model.precision), model.precision)
  const seeds = ids(extent.completions)
  const requests = Array.from({ length: extent.sequences }, () => ({ ...promptOf(model, extent), seeds }))
  const packed = packFor({ ...model, device: recording.target }, requests)
  recordGeneration(recording, model, { requests, packed, sampling, capacity: extent.length, endId: 0 })
  return { total: recordingBytes(recording, maxBindingBytes), cache: cacheBytes(recording, model, extent) }
}

/** Bytes of writing completions with a slot for each sequence, while one is prefilled: in total, and for keys and values. */
export function slotBytes(
  model: DevicelessModel,
  extent: Extent,
  sampling: Sampling,
): { total: number; cache: number } {
  const [recording, prefill] = [0, 1].map(() => new Recording(targetOf(model.precision), model.precision))
  const { sequences: slots, completions: count, length: capacity } = extent
  const room = roomFor(visualTokens(model, extent) + wordsOf(model, extent))
  const { steps } = recordSlots(
    recording,
    model,
    { slots, count, room, positions: room, capacity },
    sampling,
    0,
  )
  const request = { ...promptOf(model, extent), seeds: ids(count) }
  const packed = packFor({ ...model, device: prefill.target }, [request])
  recordPrefill(prefill, model, { request, packed, steps, sampling, endId: 0, capacity })
  const total = recordingBytes(recording, maxBindingBytes) + recordingBytes(prefill, maxBindingBytes)
  return { total, cache: cacheBytes(recording, model, extent) }
}

function cacheBytes(recording: Recording, model: DevicelessModel, extent: Extent): number {
  const { layers, keyValueHeads, headSize } = model.shape.language
  const positions =
    extent.sequences * (visualTokens(model, extent) + wordsOf(model, extent)) +
    extent.sequences * extent.completions * extent.length
  const bytes = canStepFast(recording, model.weights, model.shape.language) ? 2 : 4
  return 2 * layers * keyValueHeads * headSize * positions * bytes
}

function promptOf(model: DevicelessModel, extent: Extent) {
  const { shape, weights } = model
  const { vision } = shape
  const { frames } = extent
  const { grid } = vision
  const places = grid && grid.positionsPerSecond === undefined ? Math.ceil(frames / grid.step) : 1
  const all = [...new Array(places).fill(imagePlaceholderId), ...ids(wordsOf(model, extent))]
  const pixels = outside('pixels', assumedPixels(vision, frames))
  const prompt = { ids: all, momentSeconds: 1 }
  if (trainsVision(weights)) return { ...prompt, pixels }
  return { ...prompt, features: outside('features', featureShape(vision, pixels.shape)) }
}

/** The pixels of frames of the size that a plan assumes. */
const assumedPixels = ({ channels, imageSize }: Tower, frames: number): number[] => [
  frames,
  channels,
  imageSize,
  imageSize,
]

const visualTokens = ({ shape: { vision, connector } }: DevicelessModel, { frames }: Extent): number =>
  connector.visualTokens(featuresOf(vision, frames))

/** Tokens of text of a prompt, with the words of its frames. */
const wordsOf = ({ frameWords }: DevicelessModel, { textTokens, frames }: Extent): number =>
  textTokens + frames * frameWords

const ids = (count: number): number[] => new Array(count).fill(0)

/** A tensor that needs no memory of the recording. */
const outside = (label: string, shape: readonly number[]): Tensor => {
  return { label, shape, type: 'f32', storage: { buffer: noBuffer, offsetBytes: 0 } }
}

// Nothing is written or run, so no method of the buffer is called: it only marks a tensor as one that has memory.
const noBuffer = {} as GPUBuffer
