import { lanes } from './fast-lanes.ts'

/** Tokens that the list of the likeliest holds. */
export const room = 512

/** WGSL: a short list of tokens in place of the row; which of them are kept, and the draw from them. */
export const listWgsl = `
var<workgroup> values: array<f32, ${room}>;
var<workgroup> tokens: array<u32, ${room}>;
var<workgroup> sorted: array<u32, ${room}>;
var<workgroup> weights: array<f32, ${room}>;
var<workgroup> listed: atomic<u32>;
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
}`
