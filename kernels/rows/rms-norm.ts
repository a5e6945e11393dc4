// Root-mean-square norm (Zhang & Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467): each row is divided by
// the root of the mean of its squares, then multiplied by a learned gain. Qwen2 has it before every half of a block.
//
//             columns →
//   row 0   │ l0 l1 l2 … l0 l1 l2 … │   workgroup 0: each lane adds the squares of its columns, a sum over the workgroup
//   row 1   │ l0 l1 l2 … l0 l1 l2 … │   workgroup 1  gives the mean, then each lane scales its columns
//
// A row is one workgroup, because its lanes have to share one sum, and rows do not depend on each other. Neighbouring lanes
// read neighbouring columns, four at a time where 4 divides the row. The reference is `rmsNormReference`; the backward is
// tested against finite differences of it.

import { kernel, type Target, targetKey } from '../device/kernel.ts'
import type { FloatType } from '../device/tensor.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { elementOf, floatTypeOf, type Stored, stored } from '../wgsl/float16-stores.ts'
import { vectorise } from '../wgsl/packs.ts'
import { group } from '../wgsl/workgroup.ts'
import { columnSums } from './column-sum.ts'

/** y[r, c] = x[r, c] · gain[c] / sqrt(mean over c of x[r, c]² + epsilon), for x (rows, columns) and gain (columns); y f32 or f16. */
export function rmsNorm(recording: Recording, x: Tensor, gain: Tensor, y: Tensor, epsilon: number): void {
  const columns = sizeOf(gain.shape)
  const rows = sizeOf(x.shape) / columns
  const stores = stored(recording, vectorise(columns).size, { y })
  recording.dispatch(forward(recording.target, columns, stores, floatTypeOf(y)), {
    params: { rows, columns: columns / vectorise(columns).size, epsilon },
    buffers: { x, gain, y, ...stores.buffers },
    grid: rows,
  })
}

/** The same arithmetic as plain loops. */
export function rmsNormReference(x: ArrayLike<number>, gain: ArrayLike<number>, epsilon: number): number[] {
  const columns = gain.length
  const y: number[] = []
  for (let row = 0; row < x.length / columns; row++) {
    let squares = 0
    for (let c = 0; c < columns; c++) squares += x[row * columns + c] ** 2
    const scale = 1 / Math.sqrt(squares / columns + epsilon)
    for (let c = 0; c < columns; c++) y.push(x[row * columns + c] * scale * gain[c])
  }
  return y
}

export interface RmsNormBackward {
  /** (rows, columns): the input of the forward */
  x: Tensor
  /** (columns) */
  gain: Tensor
  /** (rows, columns) */
  dy: Tensor
  /** (rows, columns) */
  dx: Tensor
  /** Whether the gradient is added to `dx` instead of overwriting it. */
  accumulate: boolean
  /** (columns): the gradient is added to it */
  gainGradient?: Tensor | undefined
  epsilon: number
}

/** With s = 1 / sqrt(mean(x²) + epsilon), g = dy · gain: dx (+)= s · g − x · s³ · mean(x · g), gain′ += Σ dy · x · s. */
export function rmsNormBackward(recording: Recording, of: RmsNormBackward): void {
  const { x, gain, dy, dx, accumulate, gainGradient, epsilon } = of
  const columns = sizeOf(gain.shape)
  const rows = sizeOf(x.shape) / columns
  const scales = recording.tensor('rms norm scales', [rows])
  recording.dispatch(backward(recording.target, columns, accumulate), {
    params: { rows, columns: columns / vectorise(columns).size, epsilon },
    buffers: { x, gain, dy, dx, scales },
    grid: rows,
  })
  if (gainGradient)
    columnSums(recording, {
      name: 'rms_norm_gain',
      reads: { x, dy },
      tables: { scales },
      term: 'dy[i] * x[i] * scales[row]',
      out: gainGradient,
    })
}

function forward(target: Target, size: number, stores: Stored, type: FloatType) {
  const { width, enables, functions } = group(target)
  const { size: packed, element, declarations } = vectorise(size)
  return kernel<'rows' | 'columns' | 'epsilon', string>(
    ['rms_norm', targetKey(target), packed, stores.key],
    () => ({
      name: 'rms_norm',
      enables: stores.enables + enables,
      params: { rows: 'u32', columns: 'u32', epsilon: 'f32' }, // columns in packs
      buffers: {
        x: { element, access: 'read' }, // (rows, columns)
        gain: { element, access: 'read' }, // (columns)
        y: { element: elementOf(type, packed), access: 'write' }, // (rows, columns)
        ...stores.specs,
      },
      code: `${declarations}${functions}${stores.functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.columns;
  var squares = number();
  for (var c = lane; c < params.columns; c += ${width}u) { squares = fma(x[start + c], x[start + c], squares); }
  let mean = group_sum(total(squares), lane) / f32(params.columns * ${packed}u);
  let scale = inverseSqrt(mean + params.epsilon);
  for (var c = lane; c < params.columns; c += ${width}u) { y[start + c] = stored_y(x[start + c] * scale * gain[c]); }
}`,
    }),
  )
}

function backward(target: Target, size: number, accumulate: boolean) {
  const { width, enables, functions } = group(target)
  const { size: packed, element, declarations } = vectorise(size)
  return kernel(['rms_norm_backward', targetKey(target), packed, accumulate], () => ({
    name: 'rms_norm_backward',
    enables,
    params: { rows: 'u32', columns: 'u32', epsilon: 'f32' }, // columns in packs
    buffers: {
      x: { element, access: 'read' }, // (rows, columns)
      gain: { element, access: 'read' }, // (columns)
      dy: { element, access: 'read' }, // (rows, columns)
      dx: { element, access: 'write' }, // (rows, columns)
      scales: { element: 'f32', access: 'write' }, // (rows)
    },
    code: `${declarations}${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.columns;
  let count = f32(params.columns * ${packed}u);
  var squares = number();
  var along = number();
  for (var c = lane; c < params.columns; c += ${width}u) {
    let value = x[start + c];
    squares = fma(value, value, squares);
    along = fma(value, dy[start + c] * gain[c], along);
  }
  let scale = inverseSqrt(group_sum(total(squares), lane) / count + params.epsilon);
  let pull = group_sum(total(along), lane) / count * scale * scale * scale;
  scales[row] = scale;
  for (var c = lane; c < params.columns; c += ${width}u) {
    let slope = dy[start + c] * gain[c] * scale - x[start + c] * pull;
    dx[start + c] = ${accumulate ? 'dx[start + c] + slope' : 'slope'};
  }
}`,
  }))
}
