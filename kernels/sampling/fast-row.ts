import { kernel } from '../device/kernel.ts'
import { cutWgsl } from './fast-cut.ts'
import { lanes, lanesWgsl, teams } from './fast-lanes.ts'
import { listWgsl } from './fast-list.ts'
import { accessWgsl, span } from './fast-spans.ts'
import { thresholdWgsl } from './fast-threshold.ts'

/** Draws a token of each row from its spans. One workgroup a row, some neighbouring spans a lane. */
export const drawRow = (mode: 'greedy' | 'plain' | 'cut') =>
  kernel({
    name: `draw_${mode}`,
    params: {
      rows: 'u32',
      columns: 'u32',
      spans: 'u32',
      capacity: 'u32',
      end_id: 'u32',
      coldness: 'f32',
      top_k: 'u32',
      top_p: 'f32',
      min_p: 'f32',
    } as const,
    buffers: {
      logits: { element: 'f32', access: 'read' }, // (rows, columns)
      summaries: { element: 'vec2f', access: 'read' }, // (rows, spans): largest, sum of weights
      seeds: { element: 'u32', access: 'read' }, // (rows)
      position: { element: 'u32', access: 'read' }, // (rows)
      done: { element: 'u32', access: 'write' }, // (rows)
      ids: { element: 'u32', access: 'write' }, // (rows)
      history: { element: 'u32', access: 'write' }, // (rows, capacity)
      chances: { element: 'f32', access: 'write' }, // (rows, capacity)
    },
    code: `${accessWgsl(false)}
// What one lane finds for all.
var<workgroup> shared_word: u32;
var<workgroup> shared_rest: f32;
${lanesWgsl}
${thresholdWgsl}
${listWgsl}
fn mixed(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
fn settle(row: u32, token: u32, chance: f32) {
  let at = row * params.capacity + position[row];
  let id = select(token, params.end_id, done[row] != 0u);
  ids[row] = id;
  if (position[row] < params.capacity) {
    history[at] = id;
    chances[at] = chance;
  }
  if (id == params.end_id) { done[row] = 1u; }
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let random = mixed(seeds[row] + mixed(position[row] + mixed(seeds[row])));
  let share = f32(random >> 8u) * 0x1p-24;
  let several = (params.spans + ${lanes - 1}u) / ${lanes}u;
  let first_span = min(lane * several, params.spans);
  let end_span = min(first_span + several, params.spans);
  var own = -3.4e38;
  for (var i = first_span; i < end_span; i++) { own = max(own, summaries[row * params.spans + i].x); }
  let highest = largest(own, lane);
  ${{ greedy: greedyWgsl, plain: weighWgsl + plainWgsl, cut: weighWgsl + cutWgsl }[mode]}
}`,
  })

// The first span with the largest, then the first in it; float32 holds indices up to 2^24.
const greedyWgsl = `
  var first = 0x1p30;
  for (var i = first_span; i < end_span; i++) {
    if (summaries[row * params.spans + i].x == highest) { first = min(first, f32(i)); }
  }
  let of_span = min(u32(-largest(-first, lane)), params.spans - 1u) * ${span}u;
  let mine = of_span + min(lane, ${span - 1}u);
  let is_first = mine < params.columns && one(row, mine) == highest;
  let token = -largest(select(-0x1p30, -f32(mine), is_first), lane);
  if (lane == 0u) { settle(row, min(u32(token), params.columns - 1u), 1.0); }`

// Weights of spans and of all.
const weighWgsl = `
  var own_sum = 0.0;
  for (var i = first_span; i < end_span; i++) {
    let summary = summaries[row * params.spans + i];
    let distance = (summary.x - highest) * params.coldness;
    own_sum += select(0.0, summary.y * exp(max(distance, -87.0)), distance > -87.0);
  }
  sum_teams(own_sum, lane);
  var every = 0.0;
  for (var i = 0u; i < ${teams}u; i++) { every += team_sums[i]; }
`

// Nothing is cut: the team, its lane, the lane's span, then the token.
const plainWgsl = `
  let hit = lane_hit(share * every);
  if (lane == hit.place) {
    let wanted = share * every - hit.below;
    var below = 0.0;
    var sum = 0.0;
    for (var i = first_span; i < end_span && (i == first_span || wanted >= sum); i++) {
      let summary = summaries[row * params.spans + i];
      let distance = (summary.x - highest) * params.coldness;
      let found = select(0.0, summary.y * exp(max(distance, -87.0)), distance > -87.0);
      if (found > 0.0) {
        shared_word = i * ${span}u;
        below = sum;
        sum += found;
      }
    }
    shared_rest = wanted - below;
  }
  let begin = workgroupUniformLoad(&shared_word);
  let rest = workgroupUniformLoad(&shared_rest);
  if (lane < ${span}u) {
    values[lane] = 0.0;
    if (begin + lane < params.columns) { values[lane] = weight_of(one(row, begin + lane), highest, 0u, 0u); }
    sorted[lane] = begin + lane;
  }
  workgroupBarrier();
  if (lane == 0u) { draw_listed(row, ${span}u, rest, every); }`
