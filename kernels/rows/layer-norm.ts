// Layer norm (Ba, Kiros & Hinton, arXiv:1607.06450): each row is shifted to mean 0 and scaled to variance 1, then multiplied by
// a learned gain and shifted by a learned bias. SigLIP and the group resampler use it.
//
//             columns →
//   row 0   │ l0 l1 l2 … l0 l1 l2 … │   workgroup 0: sum → mean; squared deviations → variance; then each lane
//   row 1   │ l0 l1 l2 … l0 l1 l2 … │   workgroup 1  normalises its columns
//
// The variance takes a second pass over the row instead of E[x²] − E[x]², which loses all digits when the mean is large. A row
// is one workgroup, because its lanes share two sums. The gradients of gain and bias sum over rows: `columnSums` does that,
// from the mean and scale that the backward writes. The reference is `layerNormReference`; the backward is tested against
// finite differences of it.

import { kernel, type Target, targetKey } from '../device/kernel.ts'
import type { FloatType } from '../device/tensor.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { elementOf, floatTypeOf, type Stored, stored } from '../wgsl/float16-stores.ts'
import { vectorise } from '../wgsl/packs.ts'
import { group } from '../wgsl/workgroup.ts'
import { columnSum, columnSums } from './column-sum.ts'

/** y[r, c] = (x[r, c] − mean[r]) · scale[r] · gain[c] + bias[c], scale = 1 / sqrt(variance[r] + epsilon); x (rows, columns). */
export function layerNorm(recording: Recording, { x, gain, bias, y, epsilon }: LayerNorm): void {
  const columns = sizeOf(gain.shape)
  const rows = sizeOf(x.shape) / columns
  const stores = stored(recording, vectorise(columns).size, { y })
  recording.dispatch(forward(recording.target, columns, stores, floatTypeOf(y)), {
    params: { rows, columns: columns / vectorise(columns).size, epsilon },
    buffers: { x, gain, bias, y, ...stores.buffers },
    grid: rows,
  })
}

export interface LayerNorm {
  /** (rows, columns) */
  x: Tensor
  /** (columns) */
  gain: Tensor
  /** (columns) */
  bias: Tensor
  /** (rows, columns) */
  y: Tensor
  epsilon: number
}

/** The same arithmetic as plain loops. */
export function layerNormReference(
  x: ArrayLike<number>,
  gain: ArrayLike<number>,
  bias: ArrayLike<number>,
  epsilon: number,
): number[] {
  const columns = gain.length
  const y: number[] = []
  for (let start = 0; start < x.length; start += columns) {
    const row = Array.from({ length: columns }, (_, c) => x[start + c])
    const mean = row.reduce((sum, value) => sum + value, 0) / columns
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns
    row.forEach((value, c) => {
      y.push(((value - mean) / Math.sqrt(variance + epsilon)) * gain[c] + bias[c])
    })
  }
  return y
}

export interface LayerNormBackward {
  /** (rows, columns): the input of the forward */
  x: Tensor
  /** (columns) */
  gain: Tensor
  /** (rows, columns) */
  dy: Tensor
  /** (rows, columns); undefined if nothing before this layer is trained */
  dx?: Tensor | undefined
  /** Whether the gradient is added to `dx` instead of overwriting it. */
  accumulate: boolean
  /** (columns): the gradient is added to it */
  gainGradient?: Tensor | undefined
  /** (columns): the gradient is added to it */
  biasGradient?: Tensor | undefined
  epsilon: number
}

/** With n = normalised x and g = dy · gain: dx (+)= scale · (g − mean(g) − n · mean(g · n)), gain′ += Σ dy · n, bias′ += Σ dy. */
export function layerNormBackward(recording: Recording, of: LayerNormBackward): void {
  const { x, gain, dy, dx, accumulate, gainGradient, biasGradient, epsilon } = of
  const columns = sizeOf(gain.shape)
  const rows = sizeOf(x.shape) / columns
  const params = { rows, columns: columns / vectorise(columns).size, epsilon }
  const moments = recording.tensor('layer norm moments', [rows, 2])
  if (dx)
    recording.dispatch(backward(recording.target, columns, accumulate), {
      params,
      buffers: { x, gain, dy, dx, moments },
      grid: rows,
    })
  else if (gainGradient)
    recording.dispatch(measure(recording.target, columns), { params, buffers: { x, moments }, grid: rows })
  if (gainGradient)
    columnSums(recording, {
      name: 'layer_norm_gain',
      reads: { x, dy },
      tables: { moments },
      term: 'dy[i] * (x[i] - moments[row * 2u]) * moments[row * 2u + 1u]',
      out: gainGradient,
    })
  if (biasGradient) columnSum(recording, { x: dy, out: biasGradient })
}

function forward(target: Target, size: number, stores: Stored, type: FloatType) {
  const { width, enables } = group(target)
  const { element, size: packed } = vectorise(size)
  return kernel<'rows' | 'columns' | 'epsilon', string>(
    ['layer_norm', targetKey(target), packed, stores.key],
    () => ({
      name: 'layer_norm',
      enables: stores.enables + enables,
      params: { rows: 'u32', columns: 'u32', epsilon: 'f32' }, // columns in packs
      buffers: {
        x: { element, access: 'read' }, // (rows, columns)
        gain: { element, access: 'read' }, // (columns)
        bias: { element, access: 'read' }, // (columns)
        y: { element: elementOf(type, packed), access: 'write' }, // (rows, columns)
        ...stores.specs,
      },
      code: `${moments(target, size)}${stores.functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.columns;
  let of_row = moments_of(start, lane);
  for (var c = lane; c < params.columns; c += ${width}u) {
    y[start + c] = stored_y(fma((x[start + c] - of_row.x) * of_row.y, gain[c], bias[c]));
  }
}`,
    }),
  )
}

function backward(target: Target, size: number, accumulate: boolean) {
  const { width, enables } = group(target)
  const { element } = vectorise(size)
  return kernel(['layer_norm_backward', targetKey(target), element, accumulate], () => ({
    name: 'layer_norm_backward',
    enables,
    params: { rows: 'u32', columns: 'u32', epsilon: 'f32' }, // columns in packs
    buffers: {
      x: { element, access: 'read' }, // (rows, columns)
      gain: { element, access: 'read' }, // (columns)
      dy: { element, access: 'read' }, // (rows, columns)
      dx: { element, access: 'write' }, // (rows, columns)
      moments: { element: 'f32', access: 'write' }, // (rows, mean and scale)
    },
    code: `${moments(target, size)}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.columns;
  let of_row = moments_of(start, lane);
  moments[row * 2u] = of_row.x;
  moments[row * 2u + 1u] = of_row.y;
  var plain = number();
  var along = number();
  for (var c = lane; c < params.columns; c += ${width}u) {
    let outer = dy[start + c] * gain[c];
    plain += outer;
    along = fma(outer, (x[start + c] - of_row.x) * of_row.y, along);
  }
  let count = count_of_row();
  let plain_mean = group_sum(total(plain), lane) / count;
  let along_mean = group_sum(total(along), lane) / count;
  for (var c = lane; c < params.columns; c += ${width}u) {
    let normal = (x[start + c] - of_row.x) * of_row.y;
    let slope = of_row.y * (dy[start + c] * gain[c] - plain_mean - normal * along_mean);
    dx[start + c] = ${accumulate ? 'dx[start + c] + slope' : 'slope'};
  }
}`,
  }))
}

function measure(target: Target, size: number) {
  const { width, enables } = group(target)
  return kernel(['layer_norm_moments', targetKey(target), vectorise(size).size], () => ({
    name: 'layer_norm_moments',
    enables,
    params: { rows: 'u32', columns: 'u32', epsilon: 'f32' }, // columns in packs
    buffers: {
      x: { element: vectorise(size).element, access: 'read' }, // (rows, columns)
      moments: { element: 'f32', access: 'write' }, // (rows, mean and scale)
    },
    code: `${moments(target, size)}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let of_row = moments_of(row * params.columns, lane);
  moments[row * 2u] = of_row.x;
  moments[row * 2u + 1u] = of_row.y;
}`,
  }))
}

// `moments_of` gives (mean, scale) of a row. The variance is a second pass, so that it does not cancel.
function moments(target: Target, size: number): string {
  const { width, functions } = group(target)
  const { size: packed, declarations } = vectorise(size)
  return `${declarations}${functions}
fn count_of_row() -> f32 { return f32(params.columns * ${packed}u); }
fn moments_of(start: u32, lane: u32) -> vec2f {
  var sum = number();
  for (var c = lane; c < params.columns; c += ${width}u) { sum += x[start + c]; }
  let mean = group_sum(total(sum), lane) / count_of_row();
  var squares = number();
  for (var c = lane; c < params.columns; c += ${width}u) {
    let deviation = x[start + c] - mean;
    squares = fma(deviation, deviation, squares);
  }
  let variance = group_sum(total(squares), lane) / count_of_row();
  return vec2f(mean, inverseSqrt(variance + params.epsilon));
}`
}
