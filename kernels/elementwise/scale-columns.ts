// Layer scale (Touvron et al., "Going deeper with image transformers", arXiv:2103.17239): what a half of a block computes is
// multiplied by one learned number for each column before it is added to the stream.
//
//   y[r, c] = x[r, c] · gain[c] (+ residual[r, c])
//
// One expression for each element; the row of gains is read again for every row, as `addTable` reads its table. The reference is
// `scaleColumnsReference`.

import { type BufferSpec, kernel, targetKey } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread, vectorise } from '../wgsl/packs.ts'

/** y (+)= x · gain (+ residual), for f32 tensors x, y, residual (rows, columns) and gain (columns). */
export function scaleColumns(
  recording: Recording,
  { x, gain, residual, y, accumulate = false }: ScaleColumns,
): void {
  const [size, columns] = [sizeOf(x.shape), sizeOf(gain.shape)]
  const { size: packed, element, declarations } = vectorise(size, columns)
  const { width, repeat } = spread(recording.target)
  const key = ['scale_columns', targetKey(recording.target), packed, residual !== undefined, accumulate]
  const tensors: Record<string, Tensor> = { x, gain, y, ...(residual && { residual }) }
  const specs = Object.keys(tensors).map((name): [string, BufferSpec] => {
    return [name, { element, access: name === 'y' ? 'write' : 'read' }]
  })
  const scaled = kernel(key, () => ({
    name: 'scale_columns',
    params: { count: 'u32', columns: 'u32' },
    buffers: Object.fromEntries(specs),
    code: `${declarations}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.count);
  for (var i = start; i < end; i += ${width}u) {
    y[i] = ${accumulate ? 'y[i] + ' : ''}x[i] * gain[i % params.columns]${residual ? ' + residual[i]' : ''};
  }
}`,
  }))
  recording.dispatch(scaled, {
    params: { count: size / packed, columns: columns / packed },
    buffers: tensors,
    grid: Math.ceil(size / packed / (width * repeat)),
  })
}

export interface ScaleColumns {
  x: Tensor
  gain: Tensor
  residual?: Tensor
  y: Tensor
  accumulate?: boolean
}

/** The same arithmetic as plain loops. */
export function scaleColumnsReference(
  x: ArrayLike<number>,
  gain: ArrayLike<number>,
  residual: ArrayLike<number>,
): number[] {
  return Array.from(x, (value, i) => value * gain[i % gain.length] + residual[i])
}
