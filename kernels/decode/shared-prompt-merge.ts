import { kernel, type Target } from '../device/kernel.ts'
import { withinFloat16 } from '../wgsl/float16-stores.ts'
import { group } from '../wgsl/workgroup.ts'
import { blockIndexWgsl } from './row-blocks.ts'
import { partSizes } from './shared-prompt-parts.ts'

// Second of the two kernels of `groupAttention`: adds the parts of a sequence's pieces up. With m the highest score, w the mass and
// s the sums of a part:
//
//   M = max m      out = Σ exp(m − M) · s / Σ exp(m − M) · w
//
// One workgroup a sequence and head: first a lane weighs a part, then lanes own columns.

/** The kernel for heads of `headSize`; `high` is the height of the blocks of rows that it writes. */
export function groupTogether(target: Target, headSize: number, high: number) {
  const { width, functions } = group(target)
  return kernel({
    name: 'decode_attention_together',
    enables: 'enable f16;',
    params: { ...partSizes, row_blocks: 'u32' },
    buffers: {
      places: { element: 'u32', access: 'read' }, // (sequences, 3): first prefix item, how many, place in the group
      position: { element: 'u32', access: 'read' }, // (sequences)
      sums: { element: 'f32', access: 'read' },
      weights: { element: 'vec2f', access: 'read' },
      out: { element: 'f16', access: 'write' }, // blocks
    },
    code: `${functions}${blockIndexWgsl(high)}
var<workgroup> rows: array<u32, ${width}>;
var<workgroup> shares: array<f32, ${width}>;
var<workgroup> known: vec4u;
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = workgroup_index(id);
  let heads = params.key_value_heads * params.ratio;
  if (place >= params.sequences * heads) { return; }
  let sequence = place / heads;
  let head = place % heads;
  let base = head / params.ratio * params.part_rows;
  let member = head % params.ratio;
  if (lane == 0u) {
    let written = min(position[sequence] + 1u, params.capacity);
    known = vec4u(places[sequence * 3u], places[sequence * 3u + 1u], places[sequence * 3u + 2u], (written + 63u) / 64u);
  }
  let places_of = workgroupUniformLoad(&known);
  let parts = places_of.y + places_of.w;
  let own = params.prefix_items * params.prefix_rows + sequence * params.own_chunks * params.own_rows;
  var made: array<f32, ${Math.ceil(headSize / width)}>;
  var top = -3.0e38;
  var mass = 0.0;
  for (var tile = 0u; tile < parts; tile += ${width}u) {
    let part = tile + lane;
    let row = base + select(
      (places_of.x + part) * params.prefix_rows + places_of.z * params.ratio + member,
      own + (part - places_of.y) * params.own_rows + member,
      part >= places_of.y);
    var weight = vec2f(-3.0e38, 0.0);
    if (part < parts) { weight = weights[row]; }
    let higher = max(top, group_max(weight.x, lane));
    let shrink = exp(max(top - higher, -87.0));
    let share = exp(max(weight.x - higher, -87.0));
    mass = fma(mass, shrink, group_sum(select(0.0, share * weight.y, part < parts), lane));
    top = higher;
    rows[lane] = row;
    shares[lane] = share;
    workgroupBarrier();
    for (var slot = 0u; slot < ${Math.ceil(headSize / width)}u; slot++) {
      let column = slot * ${width}u + lane;
      if (column < ${headSize}u) {
        var sum = made[slot] * shrink;
        for (var k = 0u; k < min(parts - tile, ${width}u); k++) { sum = fma(shares[k], sums[rows[k] * ${headSize}u + column], sum); }
        made[slot] = sum;
      }
    }
    workgroupBarrier();
  }
  for (var slot = 0u; slot < ${Math.ceil(headSize / width)}u; slot++) {
    let column = slot * ${width}u + lane;
    let value = made[slot] / mass;
    if (column < ${headSize}u) { out[block_index(sequence, head * ${headSize}u + column, params.row_blocks)] = f16(${withinFloat16('value')}); }
  }
}`,
  })
}
