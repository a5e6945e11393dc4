import type { DecodeKernel, Target } from '../device/kernel.ts'
import { vectorise } from '../wgsl/packs.ts'
import { unroll } from '../wgsl/text.ts'
import { group } from '../wgsl/workgroup.ts'

// Attention of new tokens on GPUs. A workgroup's lanes first own keys, then columns of the values:
//
//   keys    k0 k1 k2 k3 …  k127           columns   c0 c1 … c31 │ c0 c1 … c31 │ …
//   lanes   l0 l1 l2 l3 …  l127           lanes     l0 l1 … l31 │ l32 …   l63 │ …    where there are more lanes than columns,
//           score, weight                           Σ weight · value                 they divide the keys
//
// Weights go from the first to the second by workgroup memory. Formulas and reference are in attention.ts.

/** The shader for heads of `headSize`, with vectors of four where that divides. */
export function decodeTile(target: Target, headSize: number): DecodeKernel {
  const { width, enables, functions } = group(target)
  const packs = headSize / vectorise(headSize).size
  const slots = Math.ceil(packs / width) // packs that a lane adds up
  const perSlot = (line: (slot: number) => string): string => unroll(slots, line).join('\n')

  const code = `${functions}
var<workgroup> query: array<number, ${slots * width}>;
var<workgroup> shares: array<f32, ${width}>;
var<workgroup> gathered: array<number, ${width}>;
var<workgroup> seen_rows: vec3u;
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = workgroup_index(id);
  if (place >= params.sequences * params.heads) { return; }
  let sequence = place / params.heads;
  let key_head = place % params.heads * params.key_value_heads / params.heads;
  let columns = min(params.packs, ${width}u);
  let parts = ${width}u / columns;
  let part = lane / columns;
  ${perSlot(s => `let column_${s} = min(lane % columns + ${s * width}u, params.packs - 1u); var sum_${s} = number();`)}
  for (var d = lane; d < params.packs; d += ${width}u) { query[d] = q[place * params.packs + d] * params.scale; }
  if (lane == 0u) {
    let own = min(position[sequence] + 1u, params.capacity);
    seen_rows = vec3u(prefix_starts[sequence], prefix_lengths[sequence], own);
  }
  let seen = workgroupUniformLoad(&seen_rows);
  let rows = seen.y + seen.z;
  // Row r is the prompt's r-th below seen.y, and from there on one of the sequence's own.
  let own_base = sequence * params.capacity - seen.y; // wraps around, and back when r is added
  var top = -3.0e38;
  var mass = 0.0;
  for (var tile = 0u; tile < rows; tile += ${width}u) {
    let r = tile + lane;
    var score = number();
    if (r < seen.y) {
      let start = ((seen.x + r) * params.key_value_heads + key_head) * params.packs;
      for (var d = 0u; d < params.packs; d++) { score = fma(query[d], prefix_keys[start + d], score); }
    } else if (r < rows) {
      let start = ((own_base + r) * params.key_value_heads + key_head) * params.packs;
      for (var d = 0u; d < params.packs; d++) { score = fma(query[d], keys[start + d], score); }
    }
    let points = select(-3.0e38, total(score), r < rows);
    let higher = max(top, group_max(points, lane));
    let shrink = exp(max(top - higher, -87.0));
    let share = select(0.0, exp(max(points - higher, -87.0)), r < rows);
    mass = fma(mass, shrink, group_sum(share, lane));
    top = higher;
    shares[lane] = share;
    workgroupBarrier();
    ${perSlot(s => `sum_${s} *= shrink;`)}
    if (part < parts) {
      for (var k = part; k < min(rows - tile, ${width}u); k += parts) {
        let own = tile + k >= seen.y;
        let row = tile + k + select(seen.x, own_base, own);
        let start = (row * params.key_value_heads + key_head) * params.packs;
        if (own) { ${perSlot(s => `sum_${s} = fma(number(shares[k]), values[start + column_${s}], sum_${s});`)} }
        else { ${perSlot(s => `sum_${s} = fma(number(shares[k]), prefix_values[start + column_${s}], sum_${s});`)} }
      }
    }
  }
  gathered[lane] = sum_0;
  workgroupBarrier();
  if (lane < columns) {
    for (var k = 1u; k < parts; k++) { sum_0 += gathered[k * columns + lane]; }
    ${perSlot(s => `if (lane + ${s * width}u < params.packs) { out[place * params.packs + column_${s}] = sum_${s} / mass; }`)}
  }
}`
  return { enables, code }
}
