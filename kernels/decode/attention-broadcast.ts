import type { DecodeKernel, Target } from '../device/kernel.ts'
import { vectorise } from '../wgsl/packs.ts'
import { group } from '../wgsl/workgroup.ts'

// Attention of new tokens on software adapters: one subgroup a head and no barriers. Each lane scores a key of its own; then the
// lanes share the weights by shuffles, and each adds up its own columns of the values. Formulas and reference are in attention.ts.
//
// Extents are params, not constants, and heads have a workgroup each: drivers unroll loops of known length, and such a kernel
// then compiles for seconds and runs no faster.

/** The shader for heads of `headSize`, with vectors of four where that divides. */
export function decodeBroadcast(target: Target, headSize: number): DecodeKernel {
  const { width, enables, functions } = group(target)
  const packs = headSize / vectorise(headSize).size
  const slots = Math.ceil(packs / width)

  const rows = (keys: string, values: string): string => `
  for (var tile = 0u; tile < rows; tile += ${width}u) {
    let seen = tile + lane < rows;
    let key = ((base + min(tile + lane, rows - 1u)) * params.key_value_heads + key_head) * params.packs;
    var score = number();
    for (var d = 0u; d < params.packs; d++) { score = fma(q[query + d], ${keys}[key + d], score); }
    let points = select(-3.0e38, total(score) * params.scale, seen);
    let higher = max(top, group_max(points, lane));
    let shrink = exp(max(top - higher, -87.0));
    let share = select(0.0, exp(max(points - higher, -87.0)), seen);
    mass = fma(mass, shrink, group_sum(share, lane));
    top = higher;
    for (var slot = 0u; slot < params.packs_of_lane; slot++) { sums[slot] *= shrink; }
    for (var owner = 0u; owner < min(rows - tile, ${width}u); owner++) {
      let row = ((base + tile + owner) * params.key_value_heads + key_head) * params.packs;
      let weight = number(subgroupShuffle(share, owner));
      for (var slot = 0u; slot < params.packs_of_lane; slot++) {
        sums[slot] = fma(weight, ${values}[row + min(slot * ${width}u + lane, params.packs - 1u)], sums[slot]);
      }
    }
  }`

  const code = `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = workgroup_index(id);
  if (place >= params.sequences * params.heads) { return; }
  let sequence = place / params.heads;
  let key_head = place % params.heads * params.key_value_heads / params.heads;
  let query = place * params.packs;
  var sums: array<number, ${slots}>;
  var top = -3.0e38;
  var mass = 0.0;
  var base = prefix_starts[sequence];
  var rows = prefix_lengths[sequence];
  ${rows('prefix_keys', 'prefix_values')}
  base = sequence * params.capacity;
  rows = min(position[sequence] + 1u, params.capacity);
  ${rows('keys', 'values')}
  for (var slot = 0u; slot < params.packs_of_lane; slot++) {
    let column = slot * ${width}u + lane;
    if (column < params.packs) { out[query + column] = sums[slot] / mass; }
  }
}`
  return { enables, code }
}
