import { pack } from './pack.ts'
import { kernel, type Plan } from './plan.ts'
import type { Draw } from './sampling.ts'
import type { Tensor } from './tensor.ts'

export interface DrawTokens extends Draw {
  /** (rows, vocabulary) */
  logits: Tensor
  /** (rows, capacity): the share that each token drawn had of its row. */
  chances: Tensor
  /** Takes the first of the largest logits; the rest is then without effect, and `chances` of no meaning. */
  greedy: boolean
  temperature: number
  topK: number
  topP: number
  minP: number
}

/**
 * Draws as `probabilities` and then `sampleTokens` do, without writing probabilities: for GPUs with workgroups of 1024
 * lanes. One dispatch sums up spans of 32 tokens; in the other a row's workgroup mostly reads these and few logits. Only
 * where much is left of a flat distribution by top-k or top-p it looks at all logits, several times.
 */
export function drawTokens(plan: Plan, of: DrawTokens): void {
  const { greedy, temperature, topK, topP, minP, rows, vocabulary, capacity, endId } = of
  const { logits, seeds, position, done, ids, history, chances } = of
  const spans = Math.ceil(vocabulary / span)
  const coldness = greedy ? 1 : 1 / temperature
  const summaries = plan.tensor('summaries', [rows, spans, 2])
  plan.dispatch(summarise(vocabulary), {
    params: { rows, columns: vocabulary, spans, coldness },
    buffers: { logits, summaries },
    grid: Math.ceil((rows * spans) / summaryLanes),
  })
  const likeliest = topK < vocabulary ? topK : 0
  const isCut = likeliest > 0 || topP < 1 || minP > 0
  plan.dispatch(draw(greedy ? 'greedy' : isCut ? 'cut' : 'plain'), {
    params: {
      ...{ rows, columns: vocabulary, spans, capacity, end_id: endId },
      ...{ coldness, top_k: likeliest, top_p: topP, min_p: minP },
    },
    buffers: { logits, summaries, seeds, position, done, ids, history, chances },
    grid: rows,
  })
}

/** Tokens that are summed up as one. */
const span = 32
const summaryLanes = 256
const lanes = 1024
/** Lanes of a team: in the final look, each team sums a stretch of the row. */
const team = 32
const teams = lanes / team
/** Tokens that the list of the likeliest holds, and how many are asked for where top-k does not say. */
const room = 512
const enough = 256

/** WGSL: `four(row, c)`, neighbours, c a multiple of 4; past the row what can never be drawn. */
const access = (packed: boolean): string =>
  packed
    ? `
fn four(row: u32, c: u32) -> vec4f {
  if (c >= params.columns) { return vec4f(-3.4e38); }
  return logits[(row * params.columns + c) >> 2u];
}`
    : `
fn one(row: u32, c: u32) -> f32 { if (c >= params.columns) { return -3.4e38; } return logits[row * params.columns + c]; }
fn four(row: u32, c: u32) -> vec4f { return vec4f(one(row, c), one(row, c + 1u), one(row, c + 2u), one(row, c + 3u)); }`

const fours = (line: (i: number) => string): string =>
  Array.from({ length: span / 4 }, (_, i) => line(i)).join('\n  ')

// A lane a span: its largest logit, and the sum of weights relative to that.
const summarise = (vocabulary: number) =>
  kernel({
    name: 'draw_summaries',
    params: { rows: 'u32', columns: 'u32', spans: 'u32', coldness: 'f32' } as const,
    buffers: {
      logits: { element: pack(vocabulary).element, access: 'read' }, // (rows, columns)
      summaries: { element: 'vec2f', access: 'write' }, // (rows, spans)
    },
    code: `${access(pack(vocabulary).size === 4)}
@compute @workgroup_size(${summaryLanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(id) * ${summaryLanes}u + lane;
  if (i >= params.rows * params.spans) { return; }
  let row = i / params.spans;
  let first = i % params.spans * ${span}u;
  ${fours(j => `let v${j} = four(row, first + ${4 * j}u);`)}
  var all = v0;
  ${fours(j => (j === 0 ? '' : `all = max(all, v${j});`))}
  let top = max(max(all.x, all.y), max(all.z, all.w));
  var sum = vec4f();
  ${fours(j => `{ let distance = (v${j} - top) * params.coldness; sum += select(vec4f(), exp(max(distance, vec4f(-87.0))), distance > vec4f(-87.0)); }`)}
  summaries[i] = vec2f(top, sum.x + sum.y + (sum.z + sum.w));
}`,
  })

// One workgroup a row, some neighbouring spans a lane. A key is the bits of a number, arranged to grow as it does. In
// general thresholds are found four bits at a time, by what lies at or above 16 candidates. Mostly the likeliest are
// listed instead: the k-th largest of the lanes' largest is at most the k-th largest of all and hardly less, so what
// reaches it is a short list, found by looking into few spans.
const draw = (mode: 'greedy' | 'plain' | 'cut') =>
  kernel({
    name: `draw_${mode}`,
    params: {
      ...{ rows: 'u32', columns: 'u32', spans: 'u32', capacity: 'u32', end_id: 'u32' },
      ...{ coldness: 'f32', top_k: 'u32', top_p: 'f32', min_p: 'f32' },
    } as const,
    buffers: {
      logits: { element: 'f32', access: 'read' }, // (rows, columns)
      summaries: { element: 'vec2f', access: 'read' }, // (rows, spans): largest, sum of weights
      seeds: { element: 'u32', access: 'read' }, // (rows)
      position: { element: 'u32', access: 'read' }, // (1)
      done: { element: 'u32', access: 'write' }, // (rows)
      ids: { element: 'u32', access: 'write' }, // (rows)
      history: { element: 'u32', access: 'write' }, // (rows, capacity)
      chances: { element: 'f32', access: 'write' }, // (rows, capacity)
    },
    code: `${access(false)}
var<workgroup> tree: array<vec4f, ${lanes}>;
var<workgroup> sums: array<f32, ${lanes}>;
var<workgroup> team_sums: array<f32, ${teams}>;
var<workgroup> values: array<f32, ${room}>;
var<workgroup> tokens: array<u32, ${room}>;
var<workgroup> sorted: array<u32, ${room}>;
var<workgroup> weights: array<f32, ${room}>;
var<workgroup> listed: atomic<u32>;
var<workgroup> shared_word: u32;
var<workgroup> shared_rest: f32;
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
fn value_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u)); }
fn mixed(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
// Drivers that unroll loops with barriers compile for seconds, so loops' ends are known to the params alone.
fn total(value: vec4f, lane: u32) -> vec4f {
  tree[lane] = value;
  for (var half = ${lanes / 2}u + (params.grid_width >> 31u); half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let result = workgroupUniformLoad(&tree[0]);
  return result;
}
fn largest(value: f32, lane: u32) -> f32 {
  tree[lane].x = value;
  for (var half = ${lanes / 2}u + (params.grid_width >> 31u); half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { tree[lane].x = max(tree[lane].x, tree[lane + half].x); }
  }
  return workgroupUniformLoad(&tree[0]).x;
}
fn weight_of(value: f32, highest: f32, least: u32, lightest: u32) -> f32 {
  let distance = (value - highest) * params.coldness;
  let weight = exp(max(distance, -87.0));
  let kept = key_of(value) >= least && distance > -87.0 && bitcast<u32>(weight) >= lightest;
  return select(0.0, weight, kept);
}
struct Found { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
// How much lies at or above 16 keys, from base on by units: counts by the keys of values, or weights by their bits.
fn above(weighed: bool, base: u32, unit: u32, row: u32, highest: f32, least: u32, lane: u32) -> Found {
  var found: Found;
  for (var c = lane; c < params.columns; c += ${lanes}u) {
    let value = logits[row * params.columns + c];
    var key = key_of(value);
    var amount = 1.0;
    if (weighed) {
      amount = weight_of(value, highest, least, 0u);
      key = bitcast<u32>(amount);
    }
    let beyond = select(0u, min((key - base) / unit + 1u, 16u), key >= base); // how many of the keys it reaches
    let all = vec4f(amount);
    found.a += select(vec4f(), all, vec4u(beyond) > vec4u(0u, 1u, 2u, 3u));
    found.b += select(vec4f(), all, vec4u(beyond) > vec4u(4u, 5u, 6u, 7u));
    found.c += select(vec4f(), all, vec4u(beyond) > vec4u(8u, 9u, 10u, 11u));
    found.d += select(vec4f(), all, vec4u(beyond) > vec4u(12u, 13u, 14u, 15u));
  }
  var totals = found;
  for (var i = 0u; i < 4u + (params.grid_width >> 31u); i++) {
    let sum = total(select(select(found.a, found.b, i == 1u), select(found.c, found.d, i == 3u), i >= 2u), lane);
    if (i == 0u) { totals.a = sum; } else if (i == 1u) { totals.b = sum; } else if (i == 2u) { totals.c = sum; } else { totals.d = sum; }
  }
  return totals;
}
// The largest key such that at least \`wanted\` lies at or above it; 0 when there is not that much.
fn threshold(weighed: bool, wanted: f32, row: u32, highest: f32, least: u32, lane: u32) -> u32 {
  var key = 0u;
  for (var shift = 28u; ; shift -= 4u) {
    let found = above(weighed, key, 1u << shift, row, highest, least, lane);
    let enough = select(vec4f(), vec4f(1.0), found.a >= vec4f(wanted)) + select(vec4f(), vec4f(1.0), found.b >= vec4f(wanted))
      + select(vec4f(), vec4f(1.0), found.c >= vec4f(wanted)) + select(vec4f(), vec4f(1.0), found.d >= vec4f(wanted));
    let reached = u32(dot(enough, vec4f(1.0)));
    key += (max(reached, 1u) - 1u) << shift;
    if (shift == 0u) { break; }
  }
  return key;
}
fn settle(row: u32, token: u32, chance: f32) {
  let at = row * params.capacity + position[0];
  let id = select(token, params.end_id, done[row] != 0u);
  ids[row] = id;
  if (position[0] < params.capacity) {
    history[at] = id;
    chances[at] = chance;
  }
  if (id == params.end_id) { done[row] = 1u; }
}
// Leaves the sum over each team in \`team_sums\`.
fn sum_teams(value: f32, lane: u32) {
  sums[lane] = value;
  workgroupBarrier();
  if (lane < ${teams}u) {
    var sum = 0.0;
    for (var i = 0u; i < ${team}u; i++) { sum += sums[lane * ${team}u + i]; }
    team_sums[lane] = sum;
  }
  workgroupBarrier();
}
struct Hit { place: u32, below: f32 }
// The first team at which the running sum passes what is wanted, or the last that has any weight.
fn team_hit(wanted: f32) -> Hit {
  var hit = Hit(0u, 0.0);
  var sum = 0.0;
  for (var i = 0u; i < ${teams}u && (i == 0u || wanted >= sum); i++) {
    if (team_sums[i] > 0.0) {
      hit = Hit(i, sum);
      sum += team_sums[i];
    }
  }
  return hit;
}
// The lane at which the running sum passes what is wanted.
fn lane_hit(wanted: f32) -> Hit {
  let whose = team_hit(wanted);
  var hit = Hit(whose.place * ${team}u, whose.below);
  var sum = 0.0;
  for (var i = 0u; i < ${team}u && (i == 0u || wanted - whose.below >= sum); i++) {
    let found = sums[whose.place * ${team}u + i];
    if (found > 0.0) {
      hit = Hit(whose.place * ${team}u + i, whose.below + sum);
      sum += found;
    }
  }
  return hit;
}
// Sorts the list by token and leaves the weights of what is kept in \`values\`.
fn weigh_list(count: u32, highest: f32, whole: f32, lane: u32) {
  for (var i = lane; i < count; i += ${lanes}u) {
    let value = values[i];
    var rank = 0u;
    var above = 0u;
    for (var j = 0u; j < count; j++) {
      rank += select(0u, 1u, tokens[j] < tokens[i]);
      above += select(0u, 1u, values[j] > value);
    }
    sorted[rank] = tokens[i];
    weights[rank] = select(0.0, weight_of(value, highest, 0u, 0u), params.top_k == 0u || above < params.top_k);
  }
  workgroupBarrier();
  var mass = 0.0;
  for (var j = 0u; j < count; j++) { mass += weights[j]; }
  if (lane == 0u) { shared_rest = mass; }
  if (params.top_k == 0u) { mass = whole; }
  for (var i = lane; i < count; i += ${lanes}u) {
    let weight = weights[i];
    var heavier = 0.0;
    for (var j = 0u; j < count; j++) { heavier += select(0.0, weights[j], weights[j] > weight); }
    let kept = (params.top_p >= 1.0 || heavier < params.top_p * mass) && weight >= params.min_p;
    values[i] = select(0.0, weight, kept);
  }
  workgroupBarrier();
}
fn enlist(found: vec4f, bound: f32, first: u32) {
  for (var i = 0u; i < 4u; i++) {
    if (found[i] >= bound && first + i < params.columns) {
      let at = atomicAdd(&listed, 1u);
      if (at < ${room}u) {
        values[at] = found[i];
        tokens[at] = first + i;
      }
    }
  }
}
fn draw_listed(row: u32, count: u32, wanted: f32, whole: f32) {
  var hit = 0u;
  var sum = 0.0;
  for (var i = 0u; i < count && (sum == 0.0 || wanted >= sum); i++) {
    if (values[i] > 0.0) {
      hit = i;
      sum += values[i];
    }
  }
  settle(row, sorted[hit], values[hit] / whole);
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let random = mixed(seeds[row] + mixed(position[0] + mixed(seeds[row])));
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

const cutWgsl = `
  var least = 0u;
  let asked = select(params.top_k, ${enough}u, params.top_k == 0u);
  if (asked <= ${enough}u) {
    // Of groups of lanes, since all lanes would take longer to compare.
    let groups = select(${room / 2}u, ${room}u, asked > ${enough / 4}u);
    sums[lane] = own;
    workgroupBarrier();
    if (lane < groups) {
      own = sums[lane];
      for (var i = lane + groups; i < ${lanes}u; i += groups) { own = max(own, sums[i]); }
      values[lane] = own;
    }
    workgroupBarrier();
    var larger = 0u;
    if (lane < groups) {
      for (var i = 0u; i < groups; i++) { larger += select(0u, 1u, values[i] > own); }
    }
    let bound = -largest(select(-3.4e38, -own, lane < groups && larger < asked), lane);
    for (var i = first_span; i < end_span; i++) {
      if (summaries[row * params.spans + i].x >= bound) {
        let first = i * ${span}u;
        var found: array<vec4f, ${span / 4}>;
        ${fours(j => `found[${j}] = four(row, first + ${4 * j}u);`)}
        for (var j = 0u; j < ${span / 4}u + (params.grid_width >> 31u); j++) { enlist(found[j], bound, first + 4u * j); }
      }
    }
    workgroupBarrier();
    if (lane == 0u) { shared_word = atomicLoad(&listed); }
    let count = workgroupUniformLoad(&shared_word);
    if (count <= ${room}u) {
      weigh_list(count, highest, every, lane);
      // Without top-k the list must hold all that the other cuts leave.
      if (lane == 0u) {
        let all_by_mass = params.top_p < 1.0 && shared_rest >= params.top_p * every;
        let all_by_weight = weight_of(bound, highest, 0u, 0u) < params.min_p;
        shared_word = select(0u, 1u, params.top_k > 0u || all_by_mass || all_by_weight || count == params.columns);
      }
      if (workgroupUniformLoad(&shared_word) != 0u) {
        if (lane == 0u) {
          var mass = 0.0;
          for (var i = 0u; i < count; i++) { mass += values[i]; }
          draw_listed(row, count, share * mass, mass);
        }
        return;
      }
    }
  }
  var lightest = 0u;
  // First by counts, then by masses; not unrolled, as in all loops with barriers.
  for (var turn = 0u; turn < 2u + (params.grid_width >> 31u); turn++) {
    if (select(params.top_k == 0u, params.top_p >= 1.0, turn == 1u)) { continue; }
    var wanted = f32(params.top_k);
    if (turn == 1u) {
      var mass = 0.0;
      for (var c = lane; c < params.columns; c += ${lanes}u) { mass += weight_of(logits[row * params.columns + c], highest, least, 0u); }
      wanted = max(params.top_p * total(vec4f(mass), lane).x, 1e-30);
    }
    let key = threshold(turn == 1u, wanted, row, highest, least, lane);
    if (turn == 0u) { least = key; } else { lightest = key; }
  }
  lightest = max(lightest, bitcast<u32>(params.min_p)); // the heaviest weighs 1

  let stretch = (params.columns + ${teams - 1}u) / ${teams}u;
  let begin = min(lane / ${team}u * stretch, params.columns);
  let end = min(begin + stretch, params.columns);
  var mass = 0.0;
  for (var c = begin + lane % ${team}u; c < end; c += ${team}u) { mass += weight_of(logits[row * params.columns + c], highest, least, lightest); }
  sum_teams(mass, lane);
  var whole = 0.0;
  for (var i = 0u; i < ${teams}u; i++) { whole += team_sums[i]; }
  let stretch_hit = team_hit(share * whole);
  let here = min(stretch_hit.place * stretch, params.columns);
  let until = min(here + stretch, params.columns);
  let piece = (stretch + ${lanes - 1}u) / ${lanes}u;
  let mine = min(here + lane * piece, until);
  var part = 0.0;
  for (var c = mine; c < min(mine + piece, until); c++) { part += weight_of(logits[row * params.columns + c], highest, least, lightest); }
  workgroupBarrier();
  sum_teams(part, lane);
  let hit = lane_hit(share * whole - stretch_hit.below);
  if (lane != hit.place) { return; }
  let wanted = share * whole - stretch_hit.below - hit.below;
  var token = mine;
  var chance = 0.0;
  var passed = 0.0;
  for (var c = mine; c < min(mine + piece, until) && (passed == 0.0 || wanted >= passed); c++) {
    let weight = weight_of(logits[row * params.columns + c], highest, least, lightest);
    if (weight > 0.0) {
      token = c;
      chance = weight / whole;
      passed += weight;
    }
  }
  settle(row, token, chance);
`
