import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { counted, type Stored } from '../wgsl/float16-stores.ts'
import { group } from '../wgsl/workgroup.ts'
import type { Normed } from './product.ts'
import { blockIndexWgsl, blockRowsOf } from './row-blocks.ts'

// The start of a decode step: the embedding of each row's token, and what the first norm's reader needs of it. One workgroup a row,
// its lanes stride over the columns.
//
//   x = table[ids]     scale = 1 / √(Σ x² / columns + ε)     next = float16(x · gain · scale), in blocks
//
// `next` lies in blocks for matrix units (row-blocks.ts).

export interface DecodeStart {
  /** u32 (rows) */
  ids: Tensor
  /** (vocabulary, columns), f32 or f16 */
  table: Tensor
  /** (rows, columns), out. */
  x: Tensor
  /** Gain of the first norm. */
  gain: Tensor
  /** Filled, without squares. */
  normed: Normed
  rows: number
}

/** x = table[ids], and `normed` filled for the first product. */
export function decodeStart(recording: Recording, of: DecodeStart): void {
  const { ids, table, x, gain, normed, rows } = of
  const { size, epsilon } = normed
  const clamps = counted(recording)
  recording.dispatch(
    start(recording.target, blockRowsOf(rows), table.type === 'f16' ? 'f16' : 'f32', clamps),
    {
      params: { rows, columns: size, row_blocks: normed.rows.shape[1], epsilon },
      buffers: {
        ids,
        table,
        x,
        gain,
        next_rows: normed.rows,
        next_scales: normed.scales,
        ...clamps.buffers,
      },
      grid: rows,
    },
  )
}

// One workgroup a row: lanes stride over the columns.
function start(
  target: Target,
  high: number,
  element: 'f16' | 'f32',
  clamps: Pick<Stored, 'functions' | 'specs'>,
) {
  const { width, functions } = group(target, 256)
  return kernel({
    name: 'decode_start',
    enables: 'enable f16;',
    params: { rows: 'u32', columns: 'u32', row_blocks: 'u32', epsilon: 'f32' },
    buffers: {
      ids: { element: 'u32', access: 'read' }, // (rows)
      table: { element, access: 'read' }, // (vocabulary, columns)
      x: { element: 'f32', access: 'write' }, // (rows, columns)
      gain: { element: 'f32', access: 'read' }, // (columns)
      next_rows: { element: 'f16', access: 'write' }, // blocks
      next_scales: { element: 'f32', access: 'write' }, // (rows in blocks)
      ...clamps.specs,
    },
    code: `${functions}${blockIndexWgsl(high)}${clamps.functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let entry = ids[row] * params.columns;
  var squares = 0.0;
  for (var c = lane; c < params.columns; c += ${width}u) {
    let value = f32(table[entry + c]);
    x[row * params.columns + c] = value;
    squares = fma(value, value, squares);
  }
  let sum = group_sum(squares, lane);
  let scale = inverseSqrt(sum / f32(params.columns) + params.epsilon);
  for (var c = lane; c < params.columns; c += ${width}u) {
    let value = f32(table[entry + c]) * scale * gain[c];
    next_rows[block_index(row, c, params.row_blocks)] = f16(kept(value));
  }
  if (lane == 0u) { next_scales[row] = scale; }
}`,
  })
}
