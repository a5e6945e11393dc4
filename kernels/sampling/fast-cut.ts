import { lanes, team, teams } from './fast-lanes.ts'
import { room } from './fast-list.ts'
import { fours, span } from './fast-spans.ts'

/** How many of the likeliest tokens are listed where top-k does not say. */
const enough = 256

/**
 * WGSL: the draw with top-k, top-p or min-p. Usually a list of the likeliest tokens is enough: the k-th largest of the
 * lanes' largest logits is at most the k-th largest of all, and hardly less, so the tokens that reach it make a short
 * list, which few spans contain. Otherwise thresholds are found over the whole row.
 */
export const cutWgsl = `
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
