import { group } from './group.ts'
import { pack } from './pack.ts'
import { kernel, type Plan, type Target } from './plan.ts'
import { sizeOf, type Tensor } from './tensor.ts'

/** y[r, c] = (x[r, c] − mean[r]) · scale[r] · gain[c] + bias[c], scale = 1 / sqrt(variance[r] + epsilon); x (rows, columns). */
export function layerNorm(
  plan: Plan,
  x: Tensor,
  gain: Tensor,
  bias: Tensor,
  y: Tensor,
  epsilon: number,
): void {
  const columns = sizeOf(gain.shape)
  const rows = sizeOf(x.shape) / columns
  plan.dispatch(forward(plan.target, columns), {
    params: { rows, columns: columns / pack(columns).size, epsilon },
    buffers: { x, gain, bias, y },
    grid: rows,
  })
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

// One workgroup a row: lanes stride over the columns. The variance is a second pass, so that it does not cancel.
function forward(target: Target, size: number) {
  const { width, enables, functions } = group(target)
  const { size: packed, element, declarations } = pack(size)
  return kernel({
    name: 'layer_norm',
    enables,
    params: { rows: 'u32', columns: 'u32', epsilon: 'f32' }, // columns in packs
    buffers: {
      x: { element, access: 'read' }, // (rows, columns)
      gain: { element, access: 'read' }, // (columns)
      bias: { element, access: 'read' }, // (columns)
      y: { element, access: 'write' }, // (rows, columns)
    },
    code: `${declarations}${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.columns;
  let count = f32(params.columns * ${packed}u);
  var sum = number();
  for (var c = lane; c < params.columns; c += ${width}u) { sum += x[start + c]; }
  let mean = group_sum(total(sum), lane) / count;
  var squares = number();
  for (var c = lane; c < params.columns; c += ${width}u) {
    let deviation = x[start + c] - mean;
    squares = fma(deviation, deviation, squares);
  }
  let scale = inverseSqrt(group_sum(total(squares), lane) / count + params.epsilon);
  for (var c = lane; c < params.columns; c += ${width}u) {
    y[start + c] = fma((x[start + c] - mean) * scale, gain[c], bias[c]);
  }
}`,
  })
}
