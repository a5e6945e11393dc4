import type { Device } from '../device/device.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import { logits as logitsLayer, logProbabilities, type Support } from '../layers/head.ts'
import { Pass } from '../layers/pass.ts'
import type { Recompute } from '../layers/recompute.ts'
import { applyScale } from '../optimizer/loss-scale.ts'
import { compile } from '../plan/compile.ts'
import { type Precision, Recording } from '../plan/recording.ts'
import { compileOrReuse } from '../plan/reuse.ts'
import { hiddenStates } from './hidden-states.ts'
import { headWeight } from './language-model.ts'
import { imagePlaceholderId, pack, type Sequence } from './packing.ts'
import type { ParameterSet } from './parameters.ts'
import { type ModelShape, selectedTokens, tokensOfFrame, type VisionShape, visualTokens } from './shape.ts'
import { visionTower } from './vision-tower.ts'

/** A loaded TinyLLaVA-Video model. */
export interface VideoModel {
  readonly device: Device
  readonly shape: ModelShape
  readonly weights: ParameterSet
  /** Type in which products are computed and frozen matrices are stored. */
  readonly precision: Precision
  /** Activations that a training pass computes again instead of keeping them; by default none. */
  readonly recompute?: Recompute
  /** Most positions of a prompt with its visual tokens; a longer one is truncated at the end. */
  readonly maxLength: number
}

/** Vision features (frames · tokens, vision hidden) of pixels (frames, channels, size, size), in a buffer of their own. */
export async function encodeFrames(model: VideoModel, pixels: Tensor): Promise<Required<Tensor>> {
  const { device, shape, weights } = model
  const frames = pixels.shape[0]
  const tokens = selectedTokens(shape.vision)
  const features = device.tensor('vision features', [frames * tokens, shape.vision.hidden])
  for (const { start, count } of framesAtOnce(device.maxBindingBytes, shape.vision, frames)) {
    const { recording, ...tensors } = visionRecording(model, count)
    const compiled = await compileOrReuse(device, recording, 'vision tower', weights)
    device.copy(pixels, compiled.at(tensors.pixels), start * sizeOf(pixels.shape.slice(1)), 0)
    compiled.run()
    device.copy(compiled.at(tensors.features), features, 0, start * tokens * shape.vision.hidden)
    compiled.free()
  }
  return features
}

interface VisionRecording {
  recording: Recording
  pixels: Tensor
  features: Tensor
}

/** The vision tower over a number of frames, recorded once for a set of weights. */
function visionRecording({ device, weights, shape, precision }: VideoModel, frames: number): VisionRecording {
  const { vision } = shape
  const recordings = visionRecordings.get(weights) ?? new Map<string, VisionRecording>()
  visionRecordings.set(weights, recordings)
  const key = `${frames} ${precision}`
  const earlier = recordings.get(key)
  if (earlier) return earlier
  const recording = new Recording(device, precision)
  recording.saturated = weights.lossScale?.forwardCuts
  const pixels = recording.pin('pixels', [frames, vision.channels, vision.imageSize, vision.imageSize])
  const features = recording.pin('vision features', [frames * selectedTokens(vision), vision.hidden])
  visionTower(new Pass(recording, false), weights, vision, pixels, features)
  const result = { recording, pixels, features }
  recordings.set(key, result)
  return result
}

const visionRecordings = new WeakMap<ParameterSet, Map<string, VisionRecording>>()

/** A pass whose forward has run. */
export interface Forward {
  /** Log-probability of each supervised token, in the order of `Packing.supervisedTokens`. */
  logProbs: Float32Array
  /** Entropy of the distribution from which each of them is drawn. */
  entropies: Float32Array
  /**
   * Adds the gradients of Σ coefficients · logProbs + Σ entropyCoefficients · entropies, times the loss scale if the weights
   * have one, to those of the trained weights. At most once.
   */
  backward(coefficients: Float32Array<ArrayBuffer>, entropyCoefficients?: Float32Array<ArrayBuffer>): void
  free(): void
}

/**
 * Log-probabilities of all supervised tokens of the sequences: log softmax of the logits divided by `temperature`, over the
 * whole vocabulary or the tokens of a `support`. With `training`, `backward` can follow.
 */
export async function forward(
  model: VideoModel,
  sequences: readonly Sequence[],
  training: boolean,
  temperature = 1,
  support?: Support,
): Promise<Forward> {
  const { device } = model
  const options = { sequences, training, temperature, support }
  const { recording, packing, outputs, ids } = forwardRecording(model, options)
  const label = training ? 'training pass' : 'log-probabilities'
  const compiled = await compileOrReuse(device, recording, label, model.weights)
  for (const [tensor, data] of ids) compiled.write(tensor, data)
  compiled.run(['main'])
  return {
    logProbs: await compiled.read(outputs.logProbs),
    entropies: await compiled.read(outputs.entropies),
    backward(coefficients, entropyCoefficients = new Float32Array(packing.supervisedTokens.length)) {
      compiled.write(outputs.coefficients, coefficients)
      compiled.write(outputs.entropyCoefficients, entropyCoefficients)
      compiled.run(['backward'])
    },
    free: () => compiled.free(),
  }
}

/** As the arguments of `forward`. */
export interface ForwardOptions {
  sequences: readonly Sequence[]
  training: boolean
  temperature: number
  support?: Support | undefined
}

interface RecordedForward {
  recording: Recording
  tokens: Tensor | undefined
  outputs: ReturnType<typeof recordForward>['outputs']
}

/**
 * The recording of a forward, and the ids to write before it runs. Recording takes as long as running a short pass. Without a
 * backward, ids change only the contents of constants, so sequences of the same lengths use an earlier recording.
 */
function forwardRecording(model: VideoModel, options: ForwardOptions) {
  const { device, shape, weights, precision, maxLength } = model
  const { sequences, training, temperature, support } = options
  const recordNew = () => {
    const recording = new Recording(device, precision)
    return { recording, ...recordForward(recording, model, options) }
  }
  const isPlain = ({ ids, labels }: Sequence) => !labels && !ids.includes(imagePlaceholderId)
  if (training || support || !sequences.every(isPlain)) return { ...recordNew(), ids: [] }
  const lengths = sequences.map(({ ids, completions }) => [ids.length, completions?.map(c => c.length)])
  const key = JSON.stringify([precision, temperature, maxLength, lengths])
  const recordings = forwardRecordings.get(weights) ?? new Map<string, RecordedForward>()
  forwardRecordings.set(weights, recordings)
  const earlier = recordings.get(key)
  const { recording, outputs, tokens } = earlier ?? recordNew()
  if (!earlier) {
    recordings.set(key, { recording, outputs, tokens })
    const [oldest] = recordings.keys()
    if (recordings.size > maxRecordings && oldest !== undefined) recordings.delete(oldest)
  }
  const packing = pack(sequences, visualTokens(shape.connector), maxLength)
  const ids: [Tensor, Uint32Array<ArrayBuffer>][] = [
    [outputs.targets, Uint32Array.from(packing.supervisedTokens, s => s.target)],
  ]
  if (tokens) ids.push([tokens, Uint32Array.from(packing.tokens, token => token.from)])
  for (const [tensor, data] of ids) recording.constants.set(tensor, data)
  return { recording, packing, outputs, ids }
}

const forwardRecordings = new WeakMap<ParameterSet, Map<string, RecordedForward>>()

/** Recorded forwards that are kept for a set of weights; they hold no memory of the GPU. */
const maxRecordings = 16

/** Segments `main` and, with `training`, `backward` of the pass that `forward` runs. */
export function recordForward(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  { sequences, training, temperature, support }: ForwardOptions,
) {
  const { shape, weights, maxLength, recompute = 'none' } = model
  const packing = pack(sequences, visualTokens(shape.connector), maxLength)
  const pass = new Pass(recording, training)
  recording.saturated = weights.lossScale?.forwardCuts
  const { hidden, tokens } = hiddenStates(pass, model, { sequences, packing, recompute })
  const head = headWeight(weights, shape.language)
  const supervised = { tokens: packing.supervisedTokens, temperature, support }
  const outputs = logProbabilities(pass, hidden, head, supervised)
  recording.segment('backward')
  const { lossScale } = weights
  if (training && lossScale) {
    recording.saturated = lossScale.backwardCuts
    for (const x of [outputs.coefficients, outputs.entropyCoefficients]) applyScale(recording, x, lossScale)
  }
  pass.backward()
  return { packing, outputs, tokens }
}

export interface PromptStates {
  /** (rows, hidden) */
  embeddings: Float32Array
  /** (rows, vocabulary) */
  logits: Float32Array
}

/** Embeddings and logits of every position of one prompt: for inspection, not for training. */
export async function promptStates(model: VideoModel, prompt: Sequence): Promise<PromptStates> {
  const { device, shape, weights } = model
  const packing = pack([prompt], visualTokens(shape.connector), model.maxLength)
  const recording = new Recording(device, model.precision)
  recording.saturated = weights.lossScale?.forwardCuts
  const pass = new Pass(recording, false)
  const { embeddings, hidden } = hiddenStates(pass, model, { sequences: [prompt], packing })
  const logits = logitsLayer(pass, hidden, headWeight(weights, shape.language))
  recording.pinned.add(embeddings)
  recording.pinned.add(logits)
  const compiled = await compile(device, recording, 'prompt')
  compiled.run()
  const states = { embeddings: await compiled.read(embeddings), logits: await compiled.read(logits) }
  compiled.free()
  return states
}

/** Ranges of frames whose attention scores fit into one binding and whose pixels start at an offset that WebGPU allows. */
export function framesAtOnce(
  maxBindingBytes: number,
  vision: VisionShape,
  frames: number,
): { start: number; count: number }[] {
  const scoreBytes = vision.heads * tokensOfFrame(vision) ** 2 * 4
  const frameBytes = vision.channels * vision.imageSize ** 2 * 4
  let step = 1
  while ((step * frameBytes) % 256 !== 0) step *= 2
  const fitting = Math.floor(maxBindingBytes / Math.max(scoreBytes, frameBytes))
  const size = fitting >= frames ? frames : Math.floor(fitting / step) * step
  if (size === 0)
    throw new Error(
      `vision tower: ${step} frames need ${step * scoreBytes} bytes of attention scores; a binding holds ${maxBindingBytes}`,
    )
  return Array.from({ length: Math.ceil(frames / size) }, (_, i) => {
    return { start: i * size, count: Math.min(size, frames - i * size) }
  })
}
