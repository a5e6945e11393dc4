// Rotations by several positions at once (interleaved M-RoPE of Qwen3-VL, arXiv:2511.21631): a token has a position in time, a
// row and a column, and each pair of a head turns by one of the three. Pairs take turns, as long as rows and columns have any left:
//
//   pair of a head    0 1 2 3 4 5 6 7          sections 4, 2, 2: four pairs turn by time, two by row, two by column
//   turns by          t h w t h w t t
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
  /** Pairs of a head that turn by time, by row and by column. */
  sections: readonly number[]
  /** (rows, pairs) */
  out: Tensor
}

/** out[r, j] = table[positions[stream of j, r], j]. */
export function pickAngles(recording: Recording, { table, positions, sections, out }: PickAngles): void {
  const [rows, pairs] = out.shape
  const [, down, across] = sections
  recording.dispatch(pick, {
    params: { count: rows * pairs, rows, pairs, down: 3 * down, across: 3 * across },
    buffers: { table, positions, out },
    grid: Math.ceil((rows * pairs) / threads),
  })
}

/** The same arithmetic as plain loops. */
export function pickAnglesReference(
  table: ArrayLike<number>,
  positions: readonly (readonly number[])[],
  [, down, across]: readonly number[],
  pairs: number,
): number[] {
  const streamOf = (j: number) => (j % 3 === 1 && j < 3 * down ? 1 : j % 3 === 2 && j < 3 * across ? 2 : 0)
  return positions[0].flatMap((_, row) =>
    Array.from({ length: pairs }, (_, j) => table[positions[streamOf(j)][row] * pairs + j]),
  )
}

const threads = 64

const pick = kernel({
  name: 'pick_angles',
  params: { count: 'u32', rows: 'u32', pairs: 'u32', down: 'u32', across: 'u32' },
  buffers: {
    table: { element: 'f32', access: 'read' }, // (maxPositions, pairs)
    positions: { element: 'u32', access: 'read' }, // (3, rows)
    out: { element: 'f32', access: 'write' }, // (rows, pairs)
  },
  code: `
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(id) * ${threads}u + lane;
  if (i >= params.count) { return; }
  let row = i / params.pairs;
  let j = i % params.pairs;
  var stream = 0u;
  if (j % 3u == 1u && j < params.down) { stream = 1u; }
  if (j % 3u == 2u && j < params.across) { stream = 2u; }
  out[i] = table[positions[stream * params.rows + row] * params.pairs + j];
}`,
})
