import { kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { counted } from '../wgsl/float16-stores.ts'
import { group } from '../wgsl/workgroup.ts'
import type { Normed } from './product.ts'
import { blockIndexWgsl, blockRowsOf } from './row-blocks.ts'
import { sumOfParts } from './split-sums.ts'

// The end of an `addProjection` whose workgroups divided k (product-by-columns.ts). One workgroup a row, its lanes stride over
// packs of four columns, so that the row's norm is exact:
//
//   x += Σ parts     scale = 1 / √(Σ x² / columns + ε)     next = float16(x · gain · scale), in blocks

export interface AddRows {
  /** (splits, rows in blocks, columns) */
  parts: Tensor
  /** (rows, columns), added to. */
  x: Tensor
  /** Gain of the norm that comes next: (columns). */
  gain: Tensor
  /** Filled, without squares. */
  next: Normed
  rows: number
  /** A multiple of 4. */
  columns: number
}

/** x += the sum of the parts, and what the next norm needs of x. */
export function addRows(recording: Recording, { parts, x, gain, next, rows, columns }: AddRows): void {
  const { width, functions } = group(recording.target, 256)
  const clamps = counted(recording)
  const [splits, padded] = parts.shape
  const ends = kernel({
    name: `decode_add_rows_${splits}`,
    enables: 'enable f16;',
    params: { rows: 'u32', packs: 'u32', row_blocks: 'u32', padded: 'u32', epsilon: 'f32' },
    buffers: {
      parts: { element: 'vec4f', access: 'read' },
      x: { element: 'vec4f', access: 'write' },
      gain: { element: 'vec4f', access: 'read' },
      next_rows: { element: 'vec4<f16>', access: 'write' }, // blocks
      next_scales: { element: 'f32', access: 'write' }, // (rows in blocks)
      ...clamps.specs,
    },
    code: `${functions}${blockIndexWgsl(blockRowsOf(rows))}${clamps.functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let stride = params.padded * params.packs;
  var squares = 0.0;
  for (var pack = lane; pack < params.packs; pack += ${width}u) {
    let at = row * params.packs + pack;
    let value = x[at] + ${sumOfParts(splits, 'stride', 'at')};
    x[at] = value;
    squares += dot(value, value);
  }
  let scale = inverseSqrt(group_sum(squares, lane) / f32(params.packs * 4u) + params.epsilon);
  for (var pack = lane; pack < params.packs; pack += ${width}u) {
    let value = x[row * params.packs + pack] * gain[pack] * scale;
    let kept = vec4f(kept2(value.xy), kept2(value.zw));
    next_rows[block_index(row, 4u * pack, params.row_blocks) / 4u] = vec4<f16>(kept);
  }
  if (lane == 0u) { next_scales[row] = scale; }
}`,
  })
  recording.dispatch(ends, {
    params: { rows, packs: columns / 4, row_blocks: next.rows.shape[1], padded, epsilon: next.epsilon },
    buffers: { parts, x, gain, next_rows: next.rows, next_scales: next.scales, ...clamps.buffers },
    grid: rows,
  })
}
