import type { Recording } from '../plan/recording.ts'
import { unroll } from '../wgsl/text.ts'
import { bindHeads, flashKernel } from './flash-launch.ts'
import { flashBlocks, halvesWgsl, hiddenWgsl, logOfE, rowTileWgsl, staged, unseen } from './flash-shape.ts'
import { finishWgsl, layoutOf, rescaleWgsl, scoresWgsl, sharesWgsl, sumWgsl } from './flash-steps.ts'
import { cutOf, type FlashAttention, type FlashCut } from './flash-table.ts'

/**
 * softmax(scale · Q Kᵀ + mask) V on matrix units, without the scores ever being in memory: a workgroup makes some rows of
 * a head, its subgroups 16 or 32 each, going through the keys a block at a time. Exponentials are taken against the
 * largest score at some earlier block; only when a row exceeds it by much are its sums rescaled, since blocks of sums
 * cannot be changed but through workgroup memory. Probabilities are rounded to float16, sums are float32. `scale` is
 * positive.
 */
export function flashAttention(recording: Recording, of: FlashAttention): void {
  const { out, logSums, batches, rows, heads, cut = cutOf(of, recording.target) } = of
  const { keyTile } = cut
  const rowTile = cut.subgroups * cut.rowBlocks * 16
  const { bindings, names } = bindHeads(recording, of, { rowTile, keyTile, transposed: false })
  bindings.add('out', out, { element: out.type === 'f16' ? 'vec4u' : 'vec4f', access: 'write' })
  bindings.add('logSums', logSums, { element: 'f32', access: 'write' })
  const tiles = Math.ceil(rows / rowTile)
  flashKernel(recording, of, {
    ...{ name: 'flash_attention', bindings, tiles, workgroups: tiles * heads * batches },
    variant: [cut, names],
    scale: of.scale * logOfE,
    code: () => flashAttentionWgsl(recording, of, cut, names, bindings.loads),
  })
}
/** The kernel of `flashAttention`. */

export function flashAttentionWgsl(
  recording: Recording,
  of: FlashAttention,
  cut: FlashCut,
  { q, k, v }: Record<'q' | 'k' | 'v', string>,
  loads: string,
): string {
  const { headSize, mask } = of
  const { rowBlocks, keyTile, turns } = cut
  const units = flashBlocks(recording.target.units)
  const listed = mask.kind === 'causal'
  const layout = layoutOf(of, cut)
  const { rowTile, lanes, pitch, sharing, lineVectors } = layout
  const part = { lanes, headSize }
  const queries = staged({ ...part, name: 'query', source: q, tileRows: rowTile })
  const keys = staged({ ...part, name: 'key', source: k, tileRows: keyTile })
  const values = staged({ ...part, name: 'value', source: v, tileRows: keyTile })
  // Units keep blocks of queries in registers; loops in their place read them from memory each time.
  const queriesAt = recording.target.units === 'native' ? 0 : layout.end
  const vectors = Math.max(layout.end, queriesAt + rowTile * pitch)
  const valuesAt = `${layout.values}u`
  const sums = layout.sums.flat()
  const fetchKeys = keys.fetch(`(block & 0x7fffffffu) * ${keyTile}u`, 'last_key', 'k_start', 'params.k_row')
  const fetchValues = values.fetch('first_key', 'last_key', 'v_start', 'params.v_row')
  const nextBlock = `block = ${listed ? 'blocks[min(at + 1u, range.y - 1u)]' : 'min(at + 1u, range.y - 1u)'};`
  return `
var<workgroup> tile: array<vec4u, ${vectors}>;
var<workgroup> bounds: vec2u;
var<workgroup> grown: u32;
${units.declarations}
${halvesWgsl}${loads}
${hiddenWgsl(mask)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${rowTileWgsl(rowTile, headSize, mask)}
  let subgroup = ${units.subgroup};
  let line = lane / ${sharing}u;
  let row = first_row + line;
  let side = lane % ${sharing}u;
  if (lane == 0u) {
    grown = 0u;
    bounds = ${listed ? 'vec2u(starts[row_tile], starts[row_tile + 1u])' : `vec2u(0u, (min(length, params.key_rows) + ${keyTile - 1}u) / ${keyTile}u)`};
  }
  let range = workgroupUniformLoad(&bounds);
  var block = ${listed ? 'blocks[range.x]' : 'range.x'};
  ${queries.declare}
  ${keys.declare}
  ${values.declare}
  ${queries.fetch('first_row', 'last_row', 'q_start', 'params.q_row')}
  ${fetchKeys}
  ${queries.put(`${queriesAt}u`)}
  ${queries.pad(`${queriesAt}u`)}
  workgroupBarrier();
  ${layout.sums.flatMap((line, r) => line.map((_, d) => `let query${r}_${d} = ${units.left(`${queriesAt}u + subgroup * ${rowBlocks * 16 * pitch}u + ${r * 16 * pitch + d * 2}u`, `${pitch}u`)};`)).join('\n  ')}
  ${sums.map(name => `var ${name}: Sums;`).join(' ')}
  workgroupBarrier();
  ${keys.pad('0u')}
  ${turns ? '' : `${values.pad(valuesAt)}\n  ${keys.put('0u')}\n  workgroupBarrier();`}
  // Lanes that share a row go through their scores in different orders, which spreads them over the banks of workgroup memory.
  let own = ${layout.scores}u + line * ${layout.linePitch}u + side * ${lineVectors}u;
  let twist = side * ${lineVectors / 2}u;
  let seen_from = min(row, last_row);
  let lineage = lineage_of(seen_from);
  var largest = f32(${unseen});
  var total = 0.0;
  for (var at = range.x; at < range.y; at++) {
    let first_key = (block & 0x7fffffffu) * ${keyTile}u;
    let hides = ${listed ? 'block >= 0x80000000u' : `first_key + ${keyTile}u > length`};
    ${turns ? `workgroupBarrier();\n    ${keys.put('0u')}\n    workgroupBarrier();\n    ${fetchValues}` : ''}
    ${scoresWgsl(units, layout)}
    ${turns ? '' : `${nextBlock}\n    ${fetchValues}\n    ${fetchKeys}`}
    workgroupBarrier();
    ${turns ? `${values.put(valuesAt)}\n    ${nextBlock}\n    ${fetchKeys}` : ''}
    ${sharesWgsl(layout)}
    ${turns ? '' : `${values.put(valuesAt)}\n    ${keys.put('0u')}`}
    if (workgroupUniformLoad(&grown) != 0u) {
      if (lane == 0u) { grown = 0u; }
      ${rescaleWgsl(units, layout)}
    }
    ${unroll(layout.keyBlocks, j => sumWgsl(units, layout, j)).join('\n    ')}
  }
  ${finishWgsl(units, layout, of)}
}`
}
