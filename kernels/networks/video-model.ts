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
import { headWeight } from './language-weights.ts'
import { extentsOf, type Packed, pack, padded, rowStep, type Sequence, visualTokensOf } from './packing.ts'
import type { ParameterSet } from './parameters.ts'
import { featureShape, type ModelShape, type Tower } from './shape.ts'
import { recordTower } from './tower-features.ts'

/** A loaded video model. */
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

/** Vision features of pixels (frames, channels, height, width), of their `featureShape`, in a buffer of their own. */
export async function encodeFrames(model: VideoModel, pixels: Tensor): Promise<Required<Tensor>> {
  const { device, shape, weights, precision } = model
  const [, ...extents] = pixels.shape
  const features = device.borrowTensor('vision features', featureShape(shape.vision, pixels.shape))
  for (const { start, count } of framesAtOnce(device.maxBindingBytes, shape.vision, pixels.shape)) {
    const before = start === 0 ? 0 : sizeOf(featureShape(shape.vision, [start, ...extents]))
    const { compiled, made } = await compileOrReuse(device, {
      owner: weights,
      label: 'vision tower',
      key: `${[count, ...extents]} ${precision}`,
      precision,
      record: recording => recordVision(recording, model, [count, ...extents]),
    })
    device.copy(pixels, compiled.at(made.pixels), start * sizeOf(extents), 0)
    compiled.run()
    device.copy(compiled.at(made.features), features, 0, before)
    compiled.free()
  }
  return features
}

/** The vision tower over pixels of this shape. */
export function recordVision(
  recording: Recording,
  { weights, shape: { vision } }: Pick<VideoModel, 'weights' | 'shape'>,
  extents: readonly number[],
): { pixels: Tensor; features: Tensor } {
  recording.saturated = weights.lossScale?.forwardCuts
  const pixels = recording.pin('pixels', extents)
  const features = recording.pin('vision features', featureShape(vision, extents))
  recordTower(new Pass(recording, false), weights, vision, pixels, features)
  return { pixels, features }
}

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

/** The numbers of a forward pass. */
export type Scores = Pick<Forward, 'logProbs' | 'entropies'>

/**
 * As `forward` without training, but returns as soon as the pass is submitted: what is submitted next can have its memory,
 * and the GPU need not wait until the host has read its `scores`.
 */
export async function submitForward(
  model: VideoModel,
  sequences: readonly Sequence[],
  temperature = 1,
  support?: Support,
): Promise<{ scores: Promise<Scores> }> {
  const { compiled, scores } = await begin(model, sequences, false, temperature, support)
  compiled.free()
  return { scores }
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
  const { compiled, outputs, scores } = await begin(model, sequences, training, temperature, support)
  // Values of empty supervised tokens stay out; their coefficients are 0.
  const write = (tensor: Tensor, values: Float32Array<ArrayBuffer>) => {
    const all = new Float32Array(sizeOf(tensor.shape))
    all.set(values)
    compiled.write(tensor, all)
  }
  return {
    ...(await scores),
    backward(coefficients, entropyCoefficients = new Float32Array()) {
      write(outputs.coefficients, coefficients)
      write(outputs.entropyCoefficients, entropyCoefficients)
      compiled.run(['backward'])
    },
    free: () => compiled.free(),
  }
}

/** Submits a forward pass, and starts to read its numbers. */
async function begin(
  model: VideoModel,
  sequences: readonly Sequence[],
  training: boolean,
  temperature: number,
  support: Support | undefined,
) {
  const { device, shape, weights, precision, recompute, maxLength } = model
  const packing = pack(sequences, visualTokensOf(shape), maxLength)
  const count = packing.supervisedTokens.length
  // A support has no row for an empty token.
  const packed = { packing: support ? packing : padded(packing, rowStep(device)) }
  const options = { sequences, packed, training, temperature, support }
  const inputs = sequences.flatMap(({ features, pixels }) => features ?? pixels ?? [])
  const extents = [extentsOf(packed.packing), inputs.map(input => input.shape), support?.shape]
  const { compiled, made } = await compileOrReuse(device, {
    owner: weights,
    label: training ? 'training pass' : 'log-probabilities',
    key: JSON.stringify([precision, recompute, temperature, extents]),
    precision,
    record: recording => recordForward(recording, model, options),
    renew: earlier => {
      earlier.packed.packing = packed.packing
    },
  })
  await device.turn()
  const { outputs } = made
  for (const [i, input] of inputs.entries()) device.copy(input, compiled.at(made.inputs[i]))
  if (support && made.support) device.copy(support, compiled.at(made.support))
  compiled.run(['main'])
  const read = Promise.all([compiled.read(outputs.logProbs), compiled.read(outputs.entropies)])
  const scores = read.then(([logProbs, entropies]): Scores => {
    return { logProbs: logProbs.subarray(0, count), entropies: entropies.subarray(0, count) }
  })
  scores.catch(() => {}) // who awaits it later gets the error
  return { compiled, outputs, scores }
}

export interface ForwardOptions {
  sequences: readonly Sequence[]
  /** The packing of the sequences. */
  packed: Packed
  training: boolean
  temperature: number
  support?: Support | undefined
}

/** Segments `main` and, with `training`, `backward` of the pass that `forward` runs. Features, pixels and support are to be copied into its own. */
export function recordForward(
  recording: Recording,
  model: Omit<VideoModel, 'device'>,
  { sequences, packed, training, temperature, support: given }: ForwardOptions,
) {
  const { shape, weights, recompute = 'none' } = model
  const pass = new Pass(recording, training)
  recording.saturated = weights.lossScale?.forwardCuts
  const { own, inputs } = withOwnInputs(recording, sequences)
  const { hidden } = hiddenStates(pass, model, { sequences: own, packed, recompute })
  const head = headWeight(weights, shape.language)
  const support = given && recording.pin('support', given.shape, given.type)
  const tokens = () => packed.packing.supervisedTokens
  const outputs = logProbabilities(pass, hidden, head, { tokens, temperature, support })
  recording.segment('backward')
  const { lossScale } = weights
  if (training && lossScale) {
    recording.saturated = lossScale.backwardCuts
    for (const x of [outputs.coefficients, outputs.entropyCoefficients]) applyScale(recording, x, lossScale)
  }
  pass.backward()
  return { packed, outputs, inputs, support }
}

/**
 * The sequences with features and pixels that belong to the recording, so that its bindings do not depend on where a clip's
 * lie, and a list of these.
 */
export function withOwnInputs<Of extends Sequence>(
  recording: Recording,
  sequences: readonly Of[],
): { own: Of[]; inputs: Tensor[] } {
  const inputs: Tensor[] = []
  const own = sequences.map((sequence): Of => {
    const name = sequence.features ? 'features' : 'pixels'
    const given = sequence[name]
    if (!given) return sequence
    const input = recording.pin(name, given.shape, given.type)
    inputs.push(input)
    return { ...sequence, [name]: input }
  })
  return { own, inputs }
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
  const packing = pack([prompt], visualTokensOf(shape), model.maxLength)
  const recording = new Recording(device, model.precision)
  recording.saturated = weights.lossScale?.forwardCuts
  const pass = new Pass(recording, false)
  const { embeddings, hidden } = hiddenStates(pass, model, { sequences: [prompt], packed: { packing } })
  const logits = logitsLayer(pass, hidden, headWeight(weights, shape.language))
  recording.pinned.add(embeddings)
  recording.pinned.add(logits)
  const compiled = await compile(device, recording, 'prompt')
  compiled.run()
  const states = { embeddings: await compiled.read(embeddings), logits: await compiled.read(logits) }
  compiled.free()
  return states
}

/**
 * Ranges of frames, of pixels (frames, channels, height, width), whose attention scores fit into one binding and whose pixels start
 * at an offset that WebGPU allows. No moment is divided.
 */
export function framesAtOnce(
  maxBindingBytes: number,
  { scoreBytes: assumed, imageSize, grid }: Tower,
  pixels: readonly number[],
): { start: number; count: number }[] {
  const [frames, ...extents] = pixels
  const [, height, width] = extents
  const moment = grid?.step ?? 1
  const scoreBytes = (assumed * ((height * width) / imageSize ** 2) ** 2) / moment
  const frameBytes = sizeOf(extents) * 4
  let step = moment
  while ((step * frameBytes) % 256 !== 0) step *= 2
  const fitting = Math.floor(maxBindingBytes / Math.max(scoreBytes, frameBytes))
  const size = fitting >= frames ? frames : Math.floor(fitting / step) * step
  if (size === 0)
    throw new Error(
      `vision tower: ${step} frames need ${Math.ceil(step * scoreBytes)} bytes of attention scores; a binding holds ${maxBindingBytes}`,
    )
  return Array.from({ length: Math.ceil(frames / size) }, (_, i) => {
    return { start: i * size, count: Math.min(size, frames - i * size) }
  })
}
