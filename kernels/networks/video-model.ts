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
  /** What products are computed in; weights that are not trained are kept in it. */
  readonly precision: Precision
  /** What a training pass computes again instead of keeping it; by default nothing. */
  readonly recompute?: Recompute
  /** Positions of a spliced prompt; what is beyond is cut from its end. */
  readonly maxLength: number
}

/** Vision features (frames · tokens, vision hidden) of pixels (frames, channels, size, size), in a buffer of their own. */
export async function encodeFrames(
  { device, shape, weights, precision }: VideoModel,
  pixels: Tensor,
): Promise<Required<Tensor>> {
  const frames = pixels.shape[0]
  const tokens = selectedTokens(shape.vision)
  const features = device.tensor('vision features', [frames * tokens, shape.vision.hidden])
  for (const { start, count } of framesAtOnce(device.maxBindingBytes, shape.vision, frames)) {
    const { recording, ...own } = visionRecording(device, weights, shape.vision, precision, count)
    const compiled = await compileOrReuse(device, recording, 'vision tower', weights)
    device.copy(pixels, compiled.at(own.pixels), start * sizeOf(pixels.shape.slice(1)), 0)
    compiled.run()
    device.copy(compiled.at(own.features), features, 0, start * tokens * shape.vision.hidden)
    compiled.free()
  }
  return features
}

interface VisionRecording {
  recording: Recording
  pixels: Tensor
  features: Tensor
}

/** The tower over so many frames, recorded once for a set of weights. */
function visionRecording(
  device: Device,
  weights: ParameterSet,
  vision: VisionShape,
  precision: Precision,
  frames: number,
): VisionRecording {
  const known = visionRecordings.get(weights) ?? new Map<string, VisionRecording>()
  visionRecordings.set(weights, known)
  const key = `${frames} ${precision}`
  const found = known.get(key)
  if (found) return found
  const recording = new Recording(device, precision)
  recording.saturated = weights.lossScale?.forwardCuts
  const pixels = recording.pin('pixels', [frames, vision.channels, vision.imageSize, vision.imageSize])
  const features = recording.pin('vision features', [frames * selectedTokens(vision), vision.hidden])
  visionTower(new Pass(recording, false), weights, vision, pixels, features, 0)
  const made = { recording, pixels, features }
  known.set(key, made)
  return made
}

const visionRecordings = new WeakMap<ParameterSet, Map<string, VisionRecording>>()

/** A pass whose forward has run. */
export interface Forward {
  /** Log-probability of each supervised token, in the order of `pack`. */
  logProbs: Float32Array
  /** Entropy of the distribution that each of them is drawn from. */
  entropies: Float32Array
  /**
   * Adds the gradients of Σ coefficients · logProbs + Σ entropyCoefficients · entropies to the trained parameters, times
   * their loss scale when they have one. At most once.
   */
  backward(coefficients: Float32Array<ArrayBuffer>, entropyCoefficients?: Float32Array<ArrayBuffer>): void
  free(): void
}

/**
 * Log-probabilities of everything supervised in the sequences, of logits divided by `temperature`, over all tokens or
 * those of a `support`; with `training`, ready for the backward.
 */
export async function forward(
  model: VideoModel,
  sequences: readonly Sequence[],
  training: boolean,
  temperature = 1,
  support?: Support,
): Promise<Forward> {
  const { device } = model
  const { recording, packing, outputs, ids } = forwardRecording(
    model,
    sequences,
    training,
    temperature,
    support,
  )
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

interface RecordedForward {
  recording: Recording
  tokens: Tensor | undefined
  outputs: ReturnType<typeof recordForward>['outputs']
}

/**
 * The plan of a forward, and the ids to write before it runs. Without a backward ids decide nothing but contents: plans
 * for the same lengths are recorded once, which takes as long as running a short one.
 */
function forwardRecording(
  model: VideoModel,
  sequences: readonly Sequence[],
  training: boolean,
  temperature: number,
  support?: Support,
) {
  const { device, shape, weights, precision, maxLength } = model
  const anew = () => {
    const recording = new Recording(device, precision)
    return { recording, ...recordForward(recording, model, sequences, training, temperature, support) }
  }
  const isPlain = ({ ids, labels }: Sequence) => !labels && !ids.includes(imagePlaceholderId)
  if (training || support || !sequences.every(isPlain)) return { ...anew(), ids: [] }
  const lengths = sequences.map(({ ids, completions }) => [ids.length, completions?.map(c => c.length)])
  const key = JSON.stringify([precision, temperature, maxLength, lengths])
  const known = forwardRecordings.get(weights) ?? new Map<string, RecordedForward>()
  forwardRecordings.set(weights, known)
  const found = known.get(key)
  const { recording, outputs, tokens } = found ?? anew()
  if (!found) {
    known.set(key, { recording, outputs, tokens })
    const [oldest] = known.keys()
    if (known.size > mostRecorded && oldest !== undefined) known.delete(oldest)
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

/** Recorded forwards that a set of weights keeps; they hold no memory of the GPU. */
const mostRecorded = 16

/** Segments `main` and, with `training`, `backward` of the pass that `forward` runs. */
export function recordForward(
  recording: Recording,
  { shape, weights, maxLength, recompute = 'none' }: Omit<VideoModel, 'device'>,
  sequences: readonly Sequence[],
  training: boolean,
  temperature: number,
  support?: Support,
) {
  const packing = pack(sequences, visualTokens(shape.connector), maxLength)
  const pass = new Pass(recording, training)
  recording.saturated = weights.lossScale?.forwardCuts
  const { hidden, tokens } = hiddenStates(pass, weights, shape, sequences, packing, undefined, recompute)
  const head = headWeight(weights, shape.language)
  const outputs = logProbabilities(pass, hidden, head, packing.supervisedTokens, temperature, support)
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
  const { embeddings, hidden } = hiddenStates(pass, weights, shape, [prompt], packing)
  const logits = logitsLayer(pass, hidden, headWeight(weights, shape.language))
  recording.pinned.add(embeddings)
  recording.pinned.add(logits)
  const compiled = await compile(device, recording, 'prompt')
  compiled.run()
  const states = { embeddings: await compiled.read(embeddings), logits: await compiled.read(logits) }
  compiled.free()
  return states
}

/** Runs of frames whose attention scores fit into one binding and whose pixels start at an allowed offset. */
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
