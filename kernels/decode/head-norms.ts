import { kernel, type Target, targetKey } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { counted } from '../wgsl/float16-stores.ts'
import { group } from '../wgsl/workgroup.ts'

// Norms of queries and keys in a decode step, head by head, and their rotation after it: what Qwen3 has between the product of
// query-key-value.ts and the attention. That product leaves both as they are; this kernel reads each head, divides it by the root of
// the mean of its squares, multiplies it by the gain of queries or of keys, turns its pairs, and writes it to where it was:
//
//   workgroup    0           1           …   heads       heads + 1   …
//   row 0        query head  query head  …   key head    key head    …     the key of the step's slot in the cache
//
// A workgroup is one head of one row, because its lanes share a sum. The reference is `headNormsReference`.

export interface HeadNorms {
  /** float16 (keyValueHeads, rows or more, heads / keyValueHeads, headSize), changed in place. */
  queries: Tensor
  /** float16 (2, rows, capacity, keyValueHeads · headSize): keys, then values; the key in the slot of each row's step is changed. */
  cache: Tensor
  /** (headSize) */
  queryGain: Tensor
  keyGain: Tensor
  epsilon: number
  /** (positions, headSize / 2, 2): cosines and sines. */
  angles: Tensor
  /** u32 (rows): the position of a row at step 0. */
  starts: Tensor
  /** u32 (rows): the step of each row. */
  position: Tensor
  rows: number
  heads: number
  keyValueHeads: number
  headSize: number
  capacity: number
}

/** Norms and turns the queries of each row, and the key of its step. */
export function headNorms(recording: Recording, of: HeadNorms): void {
  const { queries, cache, queryGain, keyGain, angles, starts, position } = of
  const { rows, heads, keyValueHeads, headSize, capacity, epsilon } = of
  const kept = counted(recording)
  recording.dispatch(norms(recording.target, kept, recording.saturated !== undefined), {
    params: {
      count: rows * (heads + keyValueHeads),
      heads,
      key_value_heads: keyValueHeads,
      half: headSize / 2,
      sequences: queries.shape[1],
      capacity,
      epsilon,
    },
    buffers: {
      queries,
      cache,
      query_gain: queryGain,
      key_gain: keyGain,
      angles,
      starts,
      position,
      ...kept.buffers,
    },
    grid: rows * (heads + keyValueHeads),
  })
}

/** One head as plain loops: normed, then turned by these cosines and sines (headSize / 2, 2). */
export function headNormsReference(
  head: readonly number[],
  gain: ArrayLike<number>,
  angles: ArrayLike<number>,
  epsilon: number,
): number[] {
  const squares = head.reduce((sum, value) => sum + value ** 2, 0)
  const normed = head.map((value, j) => (value * gain[j]) / Math.sqrt(squares / head.length + epsilon))
  const half = head.length / 2
  return normed.map((value, j) => {
    const [cosine, sine] = [angles[2 * (j % half)], angles[2 * (j % half) + 1]]
    return j < half ? value * cosine - normed[j + half] * sine : value * cosine + normed[j - half] * sine
  })
}

function norms(target: Target, kept: ReturnType<typeof counted>, counts: boolean) {
  const { width, enables, functions } = group(target)
  return kernel<string, string>(['decode_head_norms', targetKey(target), counts], () => ({
    name: 'decode_head_norms',
    enables: `enable f16;\n${enables}`,
    params: {
      count: 'u32',
      heads: 'u32',
      key_value_heads: 'u32',
      half: 'u32',
      sequences: 'u32',
      capacity: 'u32',
      epsilon: 'f32',
    },
    buffers: {
      queries: { element: 'f16', access: 'write' }, // (key_value_heads, sequences, heads / key_value_heads, 2 · half)
      cache: { element: 'f16', access: 'write' }, // (2, rows, capacity, key_value_heads, 2 · half)
      query_gain: { element: 'f32', access: 'read' }, // (2 · half)
      key_gain: { element: 'f32', access: 'read' }, // (2 · half)
      angles: { element: 'vec2f', access: 'read' }, // (positions, half)
      starts: { element: 'u32', access: 'read' }, // (rows)
      position: { element: 'u32', access: 'read' }, // (rows)
      ...kept.specs,
    },
    code: `${functions}${kept.functions}
fn pair_at(is_key: bool, first: u32) -> vec2f {
  if (is_key) { return vec2f(f32(cache[first]), f32(cache[first + params.half])); }
  return vec2f(f32(queries[first]), f32(queries[first + params.half]));
}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = workgroup_index(id);
  if (index >= params.count) { return; }
  let all = params.heads + params.key_value_heads;
  let row = index / all;
  let is_key = index % all >= params.heads;
  let head = index % all - select(0u, params.heads, is_key);
  let ratio = params.heads / params.key_value_heads;
  let time = position[row];
  // A row whose slots are full stays at the step after the last: the last slot is read in its place, and no key is written.
  let slot = row * params.capacity + min(time, params.capacity - 1u);
  let query_row = (head / ratio * params.sequences + row) * ratio + head % ratio;
  let start = select(query_row, slot * params.key_value_heads + head, is_key) * 2u * params.half;
  var squares = 0.0;
  for (var j = lane; j < params.half; j += ${width}u) {
    let pair = pair_at(is_key, start + j);
    squares += dot(pair, pair);
  }
  let mean = group_sum(squares, lane) / f32(2u * params.half);
  let scale = inverseSqrt(mean + params.epsilon);
  if (is_key && time >= params.capacity) { return; }
  let turns = (starts[row] + time) * params.half;
  for (var j = lane; j < params.half; j += ${width}u) {
    let gains = select(
      vec2f(query_gain[j], query_gain[j + params.half]),
      vec2f(key_gain[j], key_gain[j + params.half]),
      is_key,
    );
    let pair = pair_at(is_key, start + j) * scale * gains;
    let turn = angles[turns + j];
    let turned = vec2<f16>(kept2(vec2f(pair.x * turn.x - pair.y * turn.y, pair.y * turn.x + pair.x * turn.y)));
    if (is_key) {
      cache[start + j] = turned.x;
      cache[start + j + params.half] = turned.y;
    } else {
      queries[start + j] = turned.x;
      queries[start + j + params.half] = turned.y;
    }
  }
}`,
  }))
}
