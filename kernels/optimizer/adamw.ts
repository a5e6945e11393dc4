// AdamW (Kingma & Ba, arXiv:1412.6980; decoupled decay: Loshchilov & Hutter, arXiv:1711.05101), with the gradients clipped by
// their norm over all weights (Pascanu, Mikolov & Bengio, arXiv:1211.5063).
//
//   slab of gradients ─ sum_of_squares ▶ partials ┐
//   slab of gradients ─ sum_of_squares ▶ partials ┴ gradient_norm ▶ (norm, usable?, 1 / loss scale)
//   slab of (weights, gradients, moments) ─ adamw: one lane for each four weights, reads the three numbers above
//
//   g = clip · gradient,  m += (1 − β1)(g − m),  v = β2 v + (1 − β2) g²
//   w = w (1 − η λ) − η / (1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + ε)
//
// All weights lie in a few slabs, so an update is a few dispatches. The norm takes two kernels, because workgroups cannot wait
// for each other; nothing is read back in between: the update reads from `norm` whether it may run. The reference is
// `adamWReference`, the same in float64.

import { type BufferSpec, kernel, type Target } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import { pointwise } from '../elementwise/pointwise.ts'
import type { Recording } from '../plan/recording.ts'
import { vectorise } from '../wgsl/packs.ts'
import { group } from '../wgsl/workgroup.ts'
import { type LossScale, scaleWgsl } from './loss-scale.ts'

export interface SumOfSquares {
  x: Tensor
  /** (n): one sum for each workgroup; several tensors may fill parts of it. */
  partials: Tensor
  /** The first sum of this tensor, by default 0. */
  first?: number
  /** The number of its sums, by default all from `first` on. */
  count?: number
}

/** partials[first + k] = Σ x[i]² over the elements of workgroup k. */
export function sumOfSquares(recording: Recording, { x, partials, first = 0, count }: SumOfSquares): void {
  const sums = count ?? sizeOf(partials.shape) - first
  const size = sizeOf(x.shape)
  recording.dispatch(squares(recording.target, size), {
    params: { size: size / vectorise(size).size, first, sums },
    buffers: { x, partials },
    grid: sums,
  })
}

export interface GradientNorm {
  partials: Tensor
  count: number
  /** (3) or more. */
  out: Tensor
  /** The factor of the gradients; by default 1. */
  scale?: LossScale | undefined
}

/**
 * out = (sqrt(Σ partials) / scale, 1 or 0, 1 / scale): the norm of all gradients, and whether they may be used. They may not
 * if the norm is not finite (also if the sum of squares leaves float32's range), nor if the backward clamped a value to
 * float16's range that a smaller scale would have kept within it.
 */
export function gradientNorm(recording: Recording, { partials, count, out, scale }: GradientNorm): void {
  const call = { params: { count }, grid: 1 }
  if (!scale) recording.dispatch(root(recording.target, plain), { ...call, buffers: { partials, out } })
  else {
    const buffers = { partials, out, state: scale.state, cuts: scale.backwardCuts }
    recording.dispatch(root(recording.target, scaled), { ...call, buffers })
  }
}

export interface AdamWStep {
  beta1: number
  beta2: number
  weightDecay: number
  /** True if only some of the weights decay: `decay` does it instead of `adamW`. */
  decayApart?: boolean
  /** 0 never scales. */
  maxGradientNorm: number
}

/** The contents of `step` at update t, counted from 1: data, so that a recording can be replayed with another learning rate. */
export function stepScalars(of: AdamWStep, t: number, learningRate: number): Float32Array<ArrayBuffer> {
  const { beta1, beta2, weightDecay, maxGradientNorm, decayApart } = of
  const [ofAll, ofSome] = decayApart ? [0, weightDecay] : [weightDecay, 0]
  return Float32Array.of(learningRate, 1 - beta1 ** t, 1 - beta2 ** t, maxGradientNorm, ofAll, ofSome, 0, 0)
}

export interface AdamW {
  parameters: Tensor
  gradients: Tensor
  /** Running means of gradients and of their squares. */
  first: Tensor
  second: Tensor
  /** The output of `gradientNorm`; gradients are multiplied by its third number. */
  norm: Tensor
  /** The numbers of `stepScalars`. */
  step: Tensor
  beta1: number
  beta2: number
  epsilon: number
}

/**
 * One update (as torch.optim.AdamW) with the gradients scaled by min(1, max / (norm + 1e-6)) (as
 * torch.nn.utils.clip_grad_norm_). Changes nothing if `norm` says that the gradients may not be used.
 */
export function adamW(recording: Recording, of: AdamW): void {
  const { parameters, gradients, first, second, norm, step, beta1, beta2, epsilon } = of
  pointwise(recording, {
    name: 'adamw',
    reads: { gradients },
    writes: { parameters, first, second },
    tables: { norm, scalars: step },
    params: { beta2, first_share: 1 - beta1, second_share: 1 - beta2, epsilon },
    before: `
  if (norm[1] != 1.0) { return; }
  let rate = scalars[0];
  let largest = scalars[3];
  let clip = select(1.0, min(1.0, largest / (norm[0] + 1e-6)), largest > 0.0) * norm[2];`,
    body: `
    let gradient = gradients[i] * clip;
    let mean = first[i] + (gradient - first[i]) * params.first_share;
    let square = second[i] * params.beta2 + gradient * gradient * params.second_share;
    first[i] = mean;
    second[i] = square;
    let denominator = sqrt(square) / sqrt(scalars[2]) + params.epsilon;
    parameters[i] = parameters[i] * (1.0 - rate * scalars[4]) - rate / scalars[1] * (mean / denominator);`,
  })
}

/** parameters *= 1 − rate · weightDecay, for weights that decay if not all do. Record it before `adamW`. */
export function decay(
  recording: Recording,
  { parameters, norm, step }: Pick<AdamW, 'parameters' | 'norm' | 'step'>,
): void {
  pointwise(recording, {
    name: 'decay',
    writes: { parameters },
    tables: { norm, scalars: step },
    before: 'if (norm[1] != 1.0) { return; }',
    body: 'parameters[i] = parameters[i] * (1.0 - scalars[0] * scalars[5]);',
  })
}

/** The same update in float64, in place; `norm` is the norm of all gradients. */
export function adamWReference(
  state: { parameters: Float64Array; first: Float64Array; second: Float64Array },
  gradients: ArrayLike<number>,
  norm: number,
  of: AdamWStep & { epsilon: number; learningRate: number },
  t: number,
): void {
  const { parameters, first, second } = state
  const clip = of.maxGradientNorm > 0 ? Math.min(1, of.maxGradientNorm / (norm + 1e-6)) : 1
  for (let i = 0; i < parameters.length; i++) {
    const gradient = gradients[i] * clip
    first[i] = of.beta1 * first[i] + (1 - of.beta1) * gradient
    second[i] = of.beta2 * second[i] + (1 - of.beta2) * gradient ** 2
    const mean = first[i] / (1 - of.beta1 ** t)
    const deviation = Math.sqrt(second[i] / (1 - of.beta2 ** t))
    parameters[i] *= 1 - of.learningRate * of.weightDecay
    parameters[i] -= (of.learningRate * mean) / (deviation + of.epsilon)
  }
}

function squares(target: Target, size: number) {
  const { width, enables, functions } = group(target)
  const { element, declarations } = vectorise(size)
  return kernel({
    name: 'sum_of_squares',
    enables,
    params: { size: 'u32', first: 'u32', sums: 'u32' }, // size in packs
    buffers: { x: { element, access: 'read' }, partials: { element: 'f32', access: 'write' } },
    code: `${declarations}${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = workgroup_index(id);
  if (place >= params.sums) { return; }
  var sum = number();
  for (var i = place * ${width}u + lane; i < params.size; i += params.sums * ${width}u) { sum = fma(x[i], x[i], sum); }
  let result = group_sum(total(sum), lane);
  if (lane == 0u) { partials[params.first + place] = result; }
}`,
  })
}

/** How the kernels for scaled and for plain gradients differ: buffers, and WGSL for 1 / scale and for "a value was clamped". */
interface RootVariant<B extends string> {
  buffers: Record<B, BufferSpec>
  inverse: string
  cut: string
}

const rootBuffers = {
  partials: { element: 'f32', access: 'read' },
  out: { element: 'f32', access: 'write' },
} as const
const plain: RootVariant<keyof typeof rootBuffers> = { buffers: rootBuffers, inverse: '1.0', cut: 'false' }
const scaled: RootVariant<keyof typeof rootBuffers | 'state' | 'cuts'> = {
  buffers: {
    ...rootBuffers,
    state: { element: 'f32', access: 'read' },
    cuts: { element: 'u32', access: 'read' },
  },
  inverse: `1.0 / ${scaleWgsl}`,
  cut: 'cuts[0] > 0u && state[0] > 0.0',
}

function root<B extends string>(target: Target, { buffers, inverse, cut }: RootVariant<B>) {
  const { width, enables, functions } = group(target)
  return kernel({
    name: 'gradient_norm',
    enables,
    params: { count: 'u32' },
    buffers,
    code: `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < params.count; i += ${width}u) { sum += partials[i]; }
  let result = group_sum(sum, lane);
  if (lane == 0u) {
    // Tested by its bits, because compilers may assume that numbers are finite.
    let finite = (bitcast<u32>(result) & 0x7f800000u) != 0x7f800000u;
    let inverse = ${inverse};
    let cut = ${cut};
    out[0] = sqrt(result) * inverse;
    out[1] = select(0.0, 1.0, finite && !cut);
    out[2] = inverse;
  }
}`,
  })
}
