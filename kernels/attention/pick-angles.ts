// Rotations by several positions at once (M-RoPE of Qwen2-VL, arXiv:2409.12191): a token has a position in time, a row and a column,
// and each pair of a head turns by one of the three, its stream:
//
//   pair of a head    0 1 2 3 4 5 6 7
//   turns by          t t t t h h w w       in blocks (Qwen2.5-VL), sections 4, 2, 2: four by time, two by row, two by column
//   turns by          t h w t h w t t       in turn (Qwen3-VL): as long as rows and columns have any left
//
// The kernel picks the cosine, or the sine, of each row's pairs from the table (positions, pairs) that a plain rotation uses; the
// rotation then reads row r of the result. A text token has three equal positions and turns as it would without all this. One
// thread a number. Positions are no function of weights, so there is no gradient. The reference is `pickAnglesReference`.
import { kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'

export interface PickAngles {
  /** (maxPositions, pairs) */
  table: Tensor
  /** u32 (3, rows): by time, by row, by column. */
  positions: Tensor
  /** u32 (pairs): the row of `positions` that each pair of a head turns by. */
  streams: Tensor
  /** (rows, pairs) */
  out: Tensor
}

/** out[r, j] = table[positions[streams[j], r], j]. */
export function pickAngles(recording: Recording, { table, positions, streams, out }: PickAngles): void {
  const [rows, pairs] = out.shape
  recording.dispatch(pick, {
    params: { count: rows * pairs, rows, pairs },
    buffers: { table, positions, streams, out },
    grid: Math.ceil((rows * pairs) / threads),
  })
}

/** The same arithmetic as plain loops. */
export const pickAnglesReference = (
  table: ArrayLike<number>,
  positions: readonly (readonly number[])[],
  streams: readonly number[],
): number[] =>
  positions[0].flatMap((_, row) =>
    streams.map((stream, j) => table[positions[stream][row] * streams.length + j]),
  )

/** The stream of each pair of a head where this many turn by time, by row and by column, in blocks. */
export const streamsInBlocks = (sections: readonly number[]): number[] =>
  sections.flatMap((count, stream) => new Array<number>(count).fill(stream))

/** The same where they take turns. */
export function streamsInTurn([time, down, across]: readonly number[]): number[] {
  return Array.from({ length: time + down + across }, (_, j) =>
    j % 3 === 1 && j < 3 * down ? 1 : j % 3 === 2 && j < 3 * across ? 2 : 0,
  )
}

const threads = 64

const pick = kernel({
  name: 'pick_angles',
  params: { count: 'u32', rows: 'u32', pairs: 'u32' },
  buffers: {
    table: { element: 'f32', access: 'read' }, // (maxPositions, pairs)
    positions: { element: 'u32', access: 'read' }, // (3, rows)
    streams: { element: 'u32', access: 'read' }, // (pairs)
    out: { element: 'f32', access: 'write' }, // (rows, pairs)
  },
  code: `
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(id) * ${threads}u + lane;
  if (i >= params.count) { return; }
  let row = i / params.pairs;
  let j = i % params.pairs;
  out[i] = table[positions[streams[j] * params.rows + row] * params.pairs + j];
}`,
})
