import { lanes } from './fast-lanes.ts'

/**
 * WGSL: the weights of kept tokens, and the bound above which a wanted count or mass lies. A key is the bits of a number, arranged to grow as it
 * does; bounds are found four bits at a time, by the count or mass at or above each of 16 candidates.
 */
export const thresholdWgsl = `
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
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
}`
