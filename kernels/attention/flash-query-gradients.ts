import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import type { BlocksWgsl } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import { bindGradients, flashKernel } from './flash-launch.ts'
import type { FlashBackward } from './flash-shape.ts'
import {
  alongHead,
  alongTile,
  flashBlocks,
  halvesWgsl,
  headVectors,
  hiddenScore,
  hiddenWgsl,
  logOfE,
  rowTileWgsl,
  staged,
} from './flash-shape.ts'

// dQ = dS K of flash attention (formulas in flash-backward.ts). A workgroup keeps 64 rows of a head, its four subgroups 16 each,
// and goes through the keys that they see, 32 at a time:
//
//               32 keys                  32 keys                     headSize
//             ┌─────────┐              ┌──────────┐               ┌────────────┐
//   16 rows   │ S = QKᵀ │   16 rows    │ dP = dOVᵀ│    16 rows    │ dQ += dS K │   Q, dO and dQ stay in registers as blocks;
//             └─────────┘              └──────────┘               └────────────┘   S and dP become dS in workgroup memory.
//
// The next keys and values are asked for before these are multiplied.

const rowTile = 64
const keyTile = 32
const lanes = 128
const pitchOfScores = keyTile / 4 + 1

/** Records dQ, where it is asked for; `dots` is (batches, heads, rows). */
export function flashQueryGradients(recording: Recording, of: FlashBackward, dots: Tensor): void {
  const { dQueries, batches, rows, heads, scale } = of
  if (!dQueries) return
  const { bindings, names } = bindGradients(recording, of, dots, { rowTile, keyTile, transposed: false })
  bindings.add('out', dQueries.tensor, { element: 'vec4f', access: 'write' })
  const { accumulate } = dQueries
  const tiles = Math.ceil(rows / rowTile)
  flashKernel(recording, of, {
    name: 'flash_query_gradients',
    bindings,
    tiles,
    workgroups: tiles * heads * batches,
    scale,
    variant: [accumulate, names],
    params: { out_row: dQueries.tensor.shape[1], out_column: dQueries.column ?? 0 },
    code: () => flashQueryGradientsWgsl(recording, of, names, { loads: bindings.loads, accumulate }),
  })
}

/** WGSL names of the bound tensors: queries, keys, values and the gradient of the result. */
type Names = Record<'q' | 'k' | 'v' | 'g', string>

type Layout = ReturnType<typeof layoutOf>

function flashQueryGradientsWgsl(
  recording: Recording,
  { headSize, mask }: FlashBackward,
  names: Names,
  { loads, accumulate }: { loads: string; accumulate: boolean },
): string {
  const { units: kind } = recording.target
  const units = flashBlocks(kind)
  const layout = layoutOf(headSize, kind === 'native')
  const stages = stagesOf(names, headSize)
  const listed = mask.kind === 'causal'
  return `
var<workgroup> tile: array<vec4u, ${layout.vectors}>;
var<workgroup> bounds: vec2u;
${units.declarations}
${halvesWgsl}${loads}
${hiddenWgsl(mask)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${placeWgsl(units, mask, headSize)}
  ${loadRowsWgsl(units, layout, stages)}
  ${firstKeysWgsl(layout, stages, listed)}
  for (var at = range.x; at < range.y; at++) {
    ${nextKeysWgsl(layout, stages, listed)}
    ${multiplyWgsl(units, layout)}
    workgroupBarrier();
    ${slopesWgsl(layout)}
    workgroupBarrier();
    ${addWgsl(units, layout)}
  }
  ${finishWgsl(units, layout, headSize, accumulate)}
}`
}

/**
 * Where things lie in workgroup memory, in vectors: keys at 0, then values, scores and slopes. Queries and gradients lie
 * there only until they are in registers; loops in place of matrix units read them from memory each time, so there they
 * keep a place of their own.
 */
function layoutOf(headSize: number, isNative: boolean) {
  const { pitch, blocks: depth } = headVectors(headSize)
  const values = keyTile * pitch
  const scores = 2 * keyTile * pitch
  const slopes = scores + rowTile * pitchOfScores
  const end = slopes + rowTile * pitchOfScores
  const [queries, gradients] = isNative ? [0, 0] : [end, end + rowTile * pitch]
  const vectors = Math.max(end, gradients + rowTile * pitch)
  const sums = unroll(depth, d => `sums${d}`)
  return { pitch, depth, values, scores, slopes, queries, gradients, vectors, sums }
}

function stagesOf({ q, k, v, g }: Names, headSize: number) {
  const of = { lanes, headSize }
  const keys = staged({ ...of, name: 'key', source: k, tileRows: keyTile })
  const values = staged({ ...of, name: 'value', source: v, tileRows: keyTile })
  const firstKey = `(block & 0x7fffffffu) * ${keyTile}u`
  return {
    queries: staged({ ...of, name: 'query', source: q, tileRows: rowTile }),
    gradients: staged({ ...of, name: 'gradient', source: g, tileRows: rowTile }),
    keys,
    values,
    fetchKeys: (indent: string) =>
      [
        keys.fetch(firstKey, 'last_key', 'k_start', 'params.k_row'),
        values.fetch(firstKey, 'last_key', 'v_start', 'params.v_row'),
      ].join(`\n${indent}`),
  }
}

type Stages = ReturnType<typeof stagesOf>

/** Which rows of which head the workgroup makes, which blocks of keys they see, and where they lie. */
const placeWgsl = (units: BlocksWgsl, mask: FlashBackward['mask'], headSize: number): string =>
  `${rowTileWgsl(rowTile, headSize, mask)}
  let subgroup = ${units.subgroup};
  let row = first_row + lane / 2u;
  let half = lane & 1u;
  if (lane == 0u) {
    bounds = ${mask.kind === 'causal' ? 'vec2u(starts[row_tile], starts[row_tile + 1u])' : `vec2u(0u, (min(length, params.key_rows) + ${keyTile - 1}u) / ${keyTile}u)`};
  }
  let range = workgroupUniformLoad(&bounds);
  let g_row = params.heads * ${headSize}u;
  let g_start = batch * params.rows * g_row + head * ${headSize}u;`

/** Load: the workgroup's queries and gradients become blocks in registers, where they stay for all keys. */
function loadRowsWgsl(units: BlocksWgsl, layout: Layout, { queries, gradients }: Stages): string {
  const { pitch, depth, sums } = layout
  const blocks = (name: string, at: number) =>
    unroll(depth, d => {
      const block = units.left(`${at}u + subgroup * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`)
      return `let ${name}${d} = ${block};`
    }).join('\n  ')
  return `${queries.declare}
  ${gradients.declare}
  ${queries.fetch('first_row', 'last_row', 'q_start', 'params.q_row')}
  ${gradients.fetch('first_row', 'last_row', 'g_start', 'g_row')}
  ${queries.put(`${layout.queries}u`)}
  ${queries.pad(`${layout.queries}u`)}
  workgroupBarrier();
  ${blocks('query_block', layout.queries)}
  workgroupBarrier();
  ${gradients.put(`${layout.gradients}u`)}
  ${gradients.pad(`${layout.gradients}u`)}
  workgroupBarrier();
  ${blocks('gradient_block', layout.gradients)}
  ${sums.map(name => `var ${name} = Sums();`).join(' ')}`
}

/** Load: asks for the first keys and values. */
const firstKeysWgsl = (layout: Layout, { keys, values, fetchKeys }: Stages, listed: boolean): string =>
  `${keys.declare}
  ${values.declare}
  let stats = (batch * params.heads + head) * params.rows + min(row, last_row);
  let log_sum = logSums[stats] * ${logOfE};
  let pull = dots[stats];
  let seen_from = min(row, last_row);
  let lineage = lineage_of(seen_from);
  let own = lane / 2u * ${pitchOfScores}u + half * 4u;
  let strip = subgroup * ${16 * pitchOfScores}u;
  var block = ${listed ? 'blocks[range.x]' : 'range.x'};
  ${fetchKeys('  ')}
  workgroupBarrier();
  ${keys.pad('0u')}
  ${values.pad(`${layout.values}u`)}`

/** Load: puts these keys and values into workgroup memory and asks for the next. */
const nextKeysWgsl = (layout: Layout, { keys, values, fetchKeys }: Stages, listed: boolean): string =>
  `let first_key = (block & 0x7fffffffu) * ${keyTile}u;
    let hides = ${listed ? 'block >= 0x80000000u' : `first_key + ${keyTile}u > length`};
    workgroupBarrier();
    ${keys.put('0u')}
    ${values.put(`${layout.values}u`)}
    workgroupBarrier();
    block = ${listed ? 'blocks[min(at + 1u, range.y - 1u)]' : 'min(at + 1u, range.y - 1u)'};
    ${fetchKeys('    ')}`

/** Multiply: S = Q Kᵀ and dP = dO Vᵀ of this tile, each subgroup 16 rows × 32 keys. */
function multiplyWgsl(units: BlocksWgsl, { pitch, depth, values, scores, slopes }: Layout): string {
  const product = (left: string, at: number, name: string) =>
    unroll(depth, d =>
      unroll(2, j => {
        const right = units.right(`${at + j * 16 * pitch + d * 2}u`, `${pitch}u`, alongHead)
        return `${name}${j} = ${units.multiply(`${left}${d}`, right, `${name}${j}`, alongHead)};`
      }).join(' '),
    ).join('\n      ')
  return `{
      var scores0 = Sums(); var scores1 = Sums();
      ${product('query_block', 0, 'scores')}
      ${units.store('tile', `${scores}u + strip`, pitchOfScores, 'scores0')};
      ${units.store('tile', `${scores}u + strip + 4u`, pitchOfScores, 'scores1')};
    }
    {
      var slopes0 = Sums(); var slopes1 = Sums();
      ${product('gradient_block', values, 'slopes')}
      ${units.store('tile', `${slopes}u + strip`, pitchOfScores, 'slopes0')};
      ${units.store('tile', `${slopes}u + strip + 4u`, pitchOfScores, 'slopes1')};
    }`
}

/** Makes dS of 16 scores a lane, and puts it back as float16 in place of the scores. */
function slopesWgsl({ scores, slopes }: Layout): string {
  const load = (
    i: number,
  ) => `var s${i} = bitcast<vec4f>(tile[${scores}u + own + ${i}u]) * params.scale * ${logOfE} - log_sum;
    let d${i} = bitcast<vec4f>(tile[${slopes}u + own + ${i}u]);`
  const hide = (i: number) =>
    `s${i} = select(s${i}, vec4f(${hiddenScore}), hidden4(seen_from, lineage, key + ${i * 4}u, length));`
  const slope = (i: number) => `s${i} = exp2(min(s${i}, vec4f())) * (d${i} - pull) * params.scale;`
  return `${unroll(4, load).join('\n    ')}
    if (hides) {
      let key = first_key + half * 16u;
      ${unroll(4, hide).join('\n      ')}
    }
    // No probability is greater than 1, however rounding moves huge scores.
    ${unroll(4, slope).join('\n    ')}
    tile[${scores}u + own] = halves(s0, s1);
    tile[${scores}u + own + 1u] = halves(s2, s3);`
}

/** Multiply: adds dS K to dQ. */
function addWgsl(units: BlocksWgsl, { pitch, scores, sums }: Layout): string {
  const multiply = (j: number) => (name: string, d: number) => {
    const right = units.right(`${j * 16 * pitch + d * 2}u`, `${pitch}u`, alongTile)
    return `${name} = ${units.multiply('slope', right, name, alongTile)};`
  }
  return unroll(
    2,
    j => `{ let slope = ${units.left(`${scores}u + strip + ${j * 4}u`, `${pitchOfScores}u`, alongTile)};
      ${sums.map(multiply(j)).join('\n      ')} }`,
  ).join('\n    ')
}

/** Finish: sums go through the room of the scores to memory, 32 columns at a time. */
function finishWgsl(
  units: BlocksWgsl,
  { depth, scores, sums }: Layout,
  headSize: number,
  accumulate: boolean,
): string {
  const columns = (group: number) => `workgroupBarrier();
  ${sums
    .slice(group * 2, group * 2 + 2)
    .map((name, j) => `${units.store('tile', `${scores}u + strip + ${j * 4}u`, pitchOfScores, name)};`)
    .join('\n  ')}
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let column = ${group * 32}u + half * 16u + i * 4u;
    if (row < params.rows && column < ${headSize}u) {
      let value = bitcast<vec4f>(tile[${scores}u + own + i]);
      out[(to + column) >> 2u] = ${accumulate ? 'out[(to + column) >> 2u] + value' : 'value'};
    }
  }`
  return `let to = (batch * params.rows + row) * params.out_row + params.out_column + head * ${headSize}u;
  ${unroll(Math.ceil(depth / 2), columns).join('\n  ')}`
}
