import type { Recording } from '../plan/recording.ts'
import { unroll } from '../wgsl/text.ts'
import { bindHeads, flashKernel } from './flash-launch.ts'
import { flashBlocks, halvesWgsl, hiddenWgsl, logOfE, rowTileWgsl, staged, unseen } from './flash-shape.ts'
import { finishWgsl, layoutOf, rescaleWgsl, scoresWgsl, sharesWgsl, sumWgsl } from './flash-steps.ts'
import { type FlashAttention, type FlashTile, flashTileOf } from './flash-table.ts'

// Attention on matrix units without the scores ever being in memory ("flash attention", Dao et al. 2022; the running softmax is
// that of Milakov and Gimelshein 2018). A workgroup makes `rowTile` rows of one head and goes through the keys a tile at a time:
//
//                keyTile keys                               headSize
//              ┌──────────────┐                         ┌─────────────┐
//   subgroup 0 │ S = Q Kᵀ     │ 16 or 32 rows      +=   │ O = P V     │   S and P live in workgroup memory for one tile of
//   subgroup 1 │ P = exp(S−m) │                         │             │   keys; O and Q stay in registers for all of them.
//              └──────────────┘                         └─────────────┘
//
//   out = O / total, total = Σ exp(S − m), logSums = m + log(total), which the backward needs
//
// m is the largest score of a row at some earlier tile, not always the largest so far: as long as no score exceeds m by more
// than 11 powers of two, exp(S − m) fits into float16, and O need not be rescaled. When one does, O goes through workgroup
// memory to be rescaled, since lanes cannot touch single elements of a block. Causal masks come as lists of the tiles that a
// row tile sees (visible-blocks.ts); only tiles marked as partly hidden are masked score by score.
//
// The shader's phases are in flash-steps.ts, its measured tiles in flash-table.ts. The reference is `attentionReference` in
// test/kernels/attention.

/**
 * out = softmax(scale · Q Kᵀ + mask) V, and the log sum of each row. Probabilities are rounded to float16, sums are
 * float32. `scale` must be positive; `flashFits` says whether the kernel can be used at all.
 */
export function flashAttention(recording: Recording, of: FlashAttention): void {
  const { out, logSums, batches, rows, heads, tile = flashTileOf(of, recording.target) } = of
  const { keyTile } = tile
  const rowTile = tile.subgroups * tile.rowBlocks * 16
  const { bindings, names } = bindHeads(recording, of, { rowTile, keyTile, transposed: false })
  bindings.add('out', out, { element: out.type === 'f16' ? 'vec4u' : 'vec4f', access: 'write' })
  bindings.add('logSums', logSums, { element: 'f32', access: 'write' })
  const tiles = Math.ceil(rows / rowTile)
  flashKernel(recording, of, {
    name: 'flash_attention',
    bindings,
    tiles,
    workgroups: tiles * heads * batches,
    variant: [tile, names],
    scale: of.scale * logOfE,
    code: () => flashAttentionWgsl(recording, of, tile, names, bindings.loads),
  })
}
/** The shader of `flashAttention`; `q`, `k` and `v` are the WGSL names of the bound tensors. */
export function flashAttentionWgsl(
  recording: Recording,
  of: FlashAttention,
  tile: FlashTile,
  { q, k, v }: Record<'q' | 'k' | 'v', string>,
  loads: string,
): string {
  const { headSize, mask } = of
  const { rowBlocks, keyTile, turns } = tile
  const units = flashBlocks(recording.target.units)
  const listed = mask.kind === 'causal'
  const layout = layoutOf(of, tile)
  const { rowTile, lanes, pitch, sharing, lineVectors } = layout
  const part = { lanes, headSize }
  const queries = staged({ ...part, name: 'query', source: q, tileRows: rowTile })
  const keys = staged({ ...part, name: 'key', source: k, tileRows: keyTile })
  const values = staged({ ...part, name: 'value', source: v, tileRows: keyTile })
  // Units keep blocks of queries in registers; emulated ones read them from workgroup memory each time.
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
