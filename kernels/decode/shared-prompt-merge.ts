import { kernel, type Target } from '../device/kernel.ts'
import { withinFloat16 } from '../wgsl/float16-stores.ts'
import { group } from '../wgsl/workgroup.ts'
import { blockIndexWgsl } from './row-blocks.ts'
import { keysAtOnce, partSizes } from './shared-prompt-parts.ts'

// Second of the two kernels of `groupAttention`: adds the parts of a sequence's pieces up. With m the highest score, w the mass and
// s the sums of a part:
//
//   M = max m      out = Σ exp(m − M) · s / Σ exp(m − M) · w
//
// One workgroup a sequence and head, its lanes stride over the columns. Each lane weighs all parts itself: there are few, and
// lanes that shared that work would have to wait for each other.

/** The kernel for heads of `headSize`; `high` is the height of the blocks of rows that it writes. */
export function groupTogether(target: Target, headSize: number, high: number) {
  const { width } = group(target)
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
    code: `${blockIndexWgsl(high)}
fn row_of(part: u32, of_prompt: u32, prompt_row: u32, own_row: u32) -> u32 {
  return select(prompt_row + part * params.prefix_rows, own_row + (part - of_prompt) * params.own_rows, part >= of_prompt);
}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = workgroup_index(id);
  let heads = params.key_value_heads * params.ratio;
  if (place >= params.sequences * heads) { return; }
  let sequence = place / heads;
  let head = place % heads;
  let base = head / params.ratio * params.part_rows + head % params.ratio;
  let first_item = places[sequence * 3u];
  let of_prompt = places[sequence * 3u + 1u];
  let prompt_row = base + first_item * params.prefix_rows + places[sequence * 3u + 2u] * params.ratio;
  let own_row = base + params.prefix_items * params.prefix_rows + sequence * params.own_chunks * params.own_rows;
  let parts = of_prompt + (min(position[sequence] + 1u, params.capacity) + ${keysAtOnce - 1}u) / ${keysAtOnce}u;
  var top = -3.0e38;
  for (var part = 0u; part < parts; part++) {
    top = max(top, weights[row_of(part, of_prompt, prompt_row, own_row)].x);
  }
  for (var column = lane; column < ${headSize}u; column += ${width}u) {
    var sum = 0.0;
    var mass = 0.0;
    for (var part = 0u; part < parts; part++) {
      let row = row_of(part, of_prompt, prompt_row, own_row);
      let weight = weights[row];
      let share = exp(max(weight.x - top, -87.0));
      mass = fma(share, weight.y, mass);
      sum = fma(share, sums[row * ${headSize}u + column], sum);
    }
    let value = sum / mass;
    out[block_index(sequence, head * ${headSize}u + column, params.row_blocks)] = f16(${withinFloat16('value')});
  }
}`,
  })
}
