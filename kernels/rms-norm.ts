import { group } from './group.ts'
import { kernel, type Plan, type Target } from './plan.ts'
import type { Tensor } from './tensor.ts'

/** y[r, c] = x[r, c] · gain[c] / sqrt(mean over c of x[r, c]² + epsilon), for x (rows, columns) and gain (columns). */
export function rmsNorm(plan: Plan, x: Tensor, gain: Tensor, y: Tensor, epsilon: number): void {
  const [rows, columns] = [x.shape[0], x.shape[1]]
  plan.dispatch(forward(plan.target), {
    params: { rows, columns, epsilon },
    buffers: { x, gain, y },
    grid: rows,
  })
}

/** The same arithmetic as plain loops: what the kernel is tested against. */
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

// One workgroup a row: lanes stride over the columns.
function forward(target: Target) {
  const { width, enables, functions } = group(target)
  return kernel({
    name: 'rms_norm',
    enables,
    params: { rows: 'u32', columns: 'u32', epsilon: 'f32' },
    buffers: {
      x: { element: 'f32', access: 'read' }, // (rows, columns)
      gain: { element: 'f32', access: 'read' }, // (columns)
      y: { element: 'f32', access: 'write' }, // (rows, columns)
    },
    code: `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.columns;
  var squares = 0.0;
  for (var c = lane; c < params.columns; c += ${width}u) { squares = fma(x[start + c], x[start + c], squares); }
  let scale = inverseSqrt(group_sum(squares, lane) / f32(params.columns) + params.epsilon);
  for (var c = lane; c < params.columns; c += ${width}u) { y[start + c] = x[start + c] * scale * gain[c]; }
}`,
  })
}
