import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { group } from '../wgsl/workgroup.ts'

// Drawing the next token of each row. Greedy takes the first of the largest logits. Otherwise, with u in [0, 1) from the sequence's
// seed and position, it takes the first token at which the running sum of probabilities exceeds u · their sum:
//
//   probabilities  │ 0.1 │  0.3  │0│   0.4    │ 0.2 │          one workgroup a row: each lane sums a stretch of the
//   u · sum        ──────────────────►│                        vocabulary, one lane looks through the stretch that is hit
//
// u depends on nothing else, so a sequence draws the same alone as in a batch. It is made by the PCG hash of Jarzynski and Olano
// (2020). The references are `uniform` and `drawReference`.

/** State of the sequences that is drawn with and changed. */
export interface Draw {
  /** u32 (rows): one for each sequence */
  seeds: Tensor
  /** u32 (rows): the slot of `history` to write, and the generator's counter */
  position: Tensor
  /** u32 (rows), in and out: not 0 once a sequence has ended */
  done: Tensor
  /** u32 (rows): the tokens drawn; the end once done */
  ids: Tensor
  /** u32 (rows, capacity) */
  history: Tensor
  endId: number
  rows: number
  vocabulary: number
  capacity: number
}

/**
 * What to draw from, (rows, vocabulary): the likeliest of `logits`, or by chance from `probabilities`; then `chances`
 * (rows, capacity) gets the share that each token drawn had of its row.
 */
export type SampleTokens = Draw &
  ({ greedy: true; logits: Tensor } | { greedy: false; probabilities: Tensor; chances: Tensor })

/** Draws the next token of each row and appends it to the history; a sequence that has ended repeats `endId`. */
export function sampleTokens(recording: Recording, of: SampleTokens): void {
  const { seeds, position, done, ids, history, endId, rows, vocabulary, capacity } = of
  const params = { rows, columns: vocabulary, capacity, end_id: endId }
  if (of.greedy)
    recording.dispatch(likeliest(recording.target), {
      params,
      buffers: { logits: of.logits, position, done, ids, history },
      grid: rows,
    })
  else
    recording.dispatch(chance(recording.target), {
      params,
      buffers: { probabilities: of.probabilities, seeds, position, done, ids, history, chances: of.chances },
      grid: rows,
    })
}

/** The u in [0, 1) of a sequence's token. The mixing is the PCG hash of Jarzynski and Olano (2020). */
export function uniform(seed: number, position: number): number {
  return (mixed(seed + mixed(position + mixed(seed))) >>> 8) / 2 ** 24
}

function mixed(value: number): number {
  const state = (Math.imul(value, 747796405) + 2891336453) >>> 0
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737)
  return ((word >>> 22) ^ word) >>> 0
}

/** One row: the first token at which the running sum passes u · total. */
export function drawReference(weights: ArrayLike<number>, u: number): number {
  const total = Array.from(weights).reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  return Array.from(weights).findIndex(weight => {
    sum += weight
    return weight > 0 && u * total < sum
  })
}

const gpuWidth = 256

const drawParams = { rows: 'u32', columns: 'u32', capacity: 'u32', end_id: 'u32' } as const
const drawBuffers = {
  position: { element: 'u32', access: 'read' }, // (rows)
  done: { element: 'u32', access: 'write' }, // (rows)
  ids: { element: 'u32', access: 'write' }, // (rows)
  history: { element: 'u32', access: 'write' }, // (rows, capacity)
} as const

const settle = `
fn settle(row: u32, token: u32) {
  let id = select(token, params.end_id, done[row] != 0u);
  ids[row] = id;
  if (position[row] < params.capacity) { history[row * params.capacity + position[row]] = id; }
  if (id == params.end_id) { done[row] = 1u; }
}`

// One workgroup a row: lanes stride over the vocabulary.
function likeliest(target: Target) {
  const { width, enables, functions } = group(target, gpuWidth)
  return kernel({
    name: 'likeliest_token',
    enables,
    params: drawParams,
    buffers: { logits: { element: 'f32', access: 'read' }, ...drawBuffers }, // (rows, columns)
    code: `${functions}${settle}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  var top = -3.4e38;
  var place = 0u;
  for (var c = lane; c < params.columns; c += ${width}u) {
    let value = logits[row * params.columns + c];
    if (value > top) { top = value; place = c; }
  }
  let highest = group_max(top, lane);
  // The first of equals is the largest negated index; float32 holds indices up to 2^24.
  let first = -group_max(select(-3.4e38, -f32(place), top == highest), lane);
  if (lane == 0u) { settle(row, u32(first)); }
}`,
  })
}

// One workgroup a row: each lane sums a stretch of the vocabulary, one lane looks through the stretch that was hit.
function chance(target: Target) {
  const { width, enables } = group(target, gpuWidth)
  const share =
    target.family === 'cpu'
      ? `var shares: array<f32, ${width}>;
  ${Array.from({ length: width }, (_, i) => `shares[${i}] = subgroupBroadcast(own, ${i}u);`).join(' ')}`
      : 'shares[lane] = own; workgroupBarrier();'
  return kernel({
    name: 'sample_token',
    enables,
    params: drawParams,
    buffers: {
      probabilities: { element: 'f32', access: 'read' }, // (rows, columns)
      seeds: { element: 'u32', access: 'read' }, // (rows)
      ...drawBuffers,
      chances: { element: 'f32', access: 'write' }, // (rows, capacity)
    },
    code: `${settle}
${target.family === 'cpu' ? '' : `var<workgroup> shares: array<f32, ${width}>;`}
fn mixed(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let stretch = (params.columns + ${width - 1}u) / ${width}u;
  let first = min(lane * stretch, params.columns);
  let end = min(first + stretch, params.columns);
  let start = row * params.columns;
  var own = 0.0;
  for (var c = first; c < end; c++) { own += probabilities[start + c]; }
  ${share}
  var total = 0.0;
  for (var i = 0u; i < ${width}u; i++) { total += shares[i]; }
  let random = mixed(seeds[row] + mixed(position[row] + mixed(seeds[row])));
  let wanted = f32(random >> 8u) * 0x1p-24 * total;
  // The last stretch and the last token with any weight stand in where rounding finds none.
  var hit = 0u;
  var below = 0.0;
  var sum = 0.0;
  for (var i = 0u; i < ${width}u && (i == 0u || wanted >= sum); i++) {
    if (shares[i] > 0.0) { hit = i; below = sum; sum += shares[i]; }
  }
  if (lane != hit) { return; }
  var token = first;
  var chance = 0.0;
  var passed = 0.0;
  for (var c = first; c < end; c++) {
    let weight = probabilities[start + c];
    if (weight > 0.0) {
      token = c;
      chance = weight / total;
      passed += weight;
      if (wanted - below < passed) { break; }
    }
  }
  if (position[row] < params.capacity) { chances[row * params.capacity + position[row]] = chance; }
  settle(row, token);
}`,
  })
}
