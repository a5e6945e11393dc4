import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { matrixWgsl } from '../wgsl/matrix-units.ts'
import { unroll } from '../wgsl/text.ts'
import { bindGradients, flashKernel } from './flash-launch.ts'
import type { FlashBackward } from './flash-shape.ts'
import {
  halvesWgsl,
  headVectors,
  hiddenScore,
  hiddenWgsl,
  logOfE,
  rowTileWgsl,
  staged,
} from './flash-shape.ts'

const rowTile = 64
const keyTile = 32
const lanes = 128
const pitchOfScores = keyTile / 4 + 1

/** dQ: a workgroup makes 64 rows of a head, its subgroups 16 each, going through the keys 32 at a time. */
export function flashQueryGradients(recording: Recording, of: FlashBackward, dots: Tensor): void {
  const { dQueries, batches, rows, heads, scale } = of
  if (!dQueries) return
  const { bindings, names } = bindGradients(recording, of, dots, { rowTile, keyTile, transposed: false })
  bindings.add('out', dQueries.tensor, { element: 'vec4f', access: 'write' })
  const { accumulate } = dQueries
  const tiles = Math.ceil(rows / rowTile)
  flashKernel(recording, of, {
    ...{ name: 'flash_query_gradients', bindings, tiles, workgroups: tiles * heads * batches, scale },
    variant: [accumulate, names],
    params: { out_row: dQueries.tensor.shape[1], out_column: dQueries.column ?? 0 },
    code: () => source(recording, of, names, bindings.loads, accumulate),
  })
}

function source(
  recording: Recording,
  { headSize, mask }: FlashBackward,
  { q, k, v, g }: Record<'q' | 'k' | 'v' | 'g', string>,
  loads: string,
  accumulate: boolean,
): string {
  const units = matrixWgsl(recording.target.units)
  const listed = mask.kind === 'causal'
  const { pitch, blocks: depth } = headVectors(headSize)
  const part = { lanes, headSize }
  const queries = staged({ ...part, name: 'query', source: q, tileRows: rowTile })
  const gradients = staged({ ...part, name: 'gradient', source: g, tileRows: rowTile })
  const keys = staged({ ...part, name: 'key', source: k, tileRows: keyTile })
  const values = staged({ ...part, name: 'value', source: v, tileRows: keyTile })
  const valuesAt = keyTile * pitch
  const scores = 2 * keyTile * pitch
  const slopes = scores + rowTile * pitchOfScores
  const end = slopes + rowTile * pitchOfScores
  // Units keep blocks of queries in registers; loops in their place read them from memory each time.
  const native = recording.target.units === 'native'
  const [queriesAt, gradientsAt] = native ? [0, 0] : [end, end + rowTile * pitch]
  const vectors = Math.max(end, gradientsAt + rowTile * pitch)
  const sums = unroll(depth, d => `sums${d}`)
  const four = unroll(4, i => i)
  const blocksOf = (name: string, at: number) =>
    unroll(
      depth,
      d =>
        `let ${name}${d} = ${units.loadLeft('k', `${at}u + subgroup * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`)};`,
    ).join('\n  ')
  const product = (left: string, at: number, name: string) =>
    unroll(depth, d =>
      unroll(
        2,
        j =>
          `${name}${j} = ${units.multiply(`${left}${d}`, units.loadRight('k', `${at + j * 16 * pitch + d * 2}u`, `${pitch}u`), `${name}${j}`)};`,
      ).join(' '),
    ).join('\n      ')
  return `
var<workgroup> tile: array<vec4u, ${vectors}>;
var<workgroup> bounds: vec2u;
${units.declarations}
${halvesWgsl}${loads}
${hiddenWgsl(mask)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${rowTileWgsl(rowTile, headSize, mask)}
  let subgroup = ${units.subgroup};
  let row = first_row + lane / 2u;
  let half = lane & 1u;
  if (lane == 0u) {
    bounds = ${listed ? 'vec2u(starts[row_tile], starts[row_tile + 1u])' : `vec2u(0u, (min(length, params.key_rows) + ${keyTile - 1}u) / ${keyTile}u)`};
  }
  let range = workgroupUniformLoad(&bounds);
  let g_row = params.heads * ${headSize}u;
  let g_start = batch * params.rows * g_row + head * ${headSize}u;
  ${queries.declare}
  ${gradients.declare}
  ${queries.fetch('first_row', 'last_row', 'q_start', 'params.q_row')}
  ${gradients.fetch('first_row', 'last_row', 'g_start', 'g_row')}
  ${queries.put(`${queriesAt}u`)}
  ${queries.pad(`${queriesAt}u`)}
  workgroupBarrier();
  ${blocksOf('query_block', queriesAt)}
  workgroupBarrier();
  ${gradients.put(`${gradientsAt}u`)}
  ${gradients.pad(`${gradientsAt}u`)}
  workgroupBarrier();
  ${blocksOf('gradient_block', gradientsAt)}
  ${sums.map(name => `var ${name} = Sums();`).join(' ')}
  ${keys.declare}
  ${values.declare}
  let stats = (batch * params.heads + head) * params.rows + min(row, last_row);
  let log_sum = logSums[stats] * ${logOfE};
  let pull = dots[stats];
  let seen_from = min(row, last_row);
  let lineage = lineage_of(seen_from);
  let own = lane / 2u * ${pitchOfScores}u + half * 4u;
  let strip = subgroup * ${16 * pitchOfScores}u;
  var block = ${listed ? 'blocks[range.x]' : 'range.x'};
  ${keys.fetch(`(block & 0x7fffffffu) * ${keyTile}u`, 'last_key', 'k_start', 'params.k_row')}
  ${values.fetch(`(block & 0x7fffffffu) * ${keyTile}u`, 'last_key', 'v_start', 'params.v_row')}
  workgroupBarrier();
  ${keys.pad('0u')}
  ${values.pad(`${valuesAt}u`)}
  for (var at = range.x; at < range.y; at++) {
    let first_key = (block & 0x7fffffffu) * ${keyTile}u;
    let hides = ${listed ? 'block >= 0x80000000u' : `first_key + ${keyTile}u > length`};
    workgroupBarrier();
    ${keys.put('0u')}
    ${values.put(`${valuesAt}u`)}
    workgroupBarrier();
    block = ${listed ? 'blocks[min(at + 1u, range.y - 1u)]' : 'min(at + 1u, range.y - 1u)'};
    ${keys.fetch(`(block & 0x7fffffffu) * ${keyTile}u`, 'last_key', 'k_start', 'params.k_row')}
    ${values.fetch(`(block & 0x7fffffffu) * ${keyTile}u`, 'last_key', 'v_start', 'params.v_row')}
    {
      var scores0 = Sums(); var scores1 = Sums();
      ${product('query_block', 0, 'scores')}
      ${units.store(`${scores}u + strip`, pitchOfScores, 'scores0')};
      ${units.store(`${scores}u + strip + 4u`, pitchOfScores, 'scores1')};
    }
    {
      var slopes0 = Sums(); var slopes1 = Sums();
      ${product('gradient_block', valuesAt, 'slopes')}
      ${units.store(`${slopes}u + strip`, pitchOfScores, 'slopes0')};
      ${units.store(`${slopes}u + strip + 4u`, pitchOfScores, 'slopes1')};
    }
    workgroupBarrier();
    ${four
      .map(
        i => `var s${i} = bitcast<vec4f>(tile[${scores}u + own + ${i}u]) * params.scale * ${logOfE} - log_sum;
    let d${i} = bitcast<vec4f>(tile[${slopes}u + own + ${i}u]);`,
      )
      .join('\n    ')}
    if (hides) {
      let key = first_key + half * 16u;
      ${four.map(i => `s${i} = select(s${i}, vec4f(${hiddenScore}), hidden4(seen_from, lineage, key + ${i * 4}u, length));`).join('\n      ')}
    }
    // No probability is greater than 1, however rounding moves huge scores.
    ${four.map(i => `s${i} = exp2(min(s${i}, vec4f())) * (d${i} - pull) * params.scale;`).join('\n    ')}
    tile[${scores}u + own] = halves(s0, s1);
    tile[${scores}u + own + 1u] = halves(s2, s3);
    workgroupBarrier();
    ${unroll(
      2,
      j => `{ let slope = ${units.loadLeft('k', `${scores}u + strip + ${j * 4}u`, `${pitchOfScores}u`)};
      ${sums.map((name, d) => `${name} = ${units.multiply('slope', units.loadRight('index', `${j * 16 * pitch + d * 2}u`, `${pitch}u`), name)};`).join('\n      ')} }`,
    ).join('\n    ')}
  }
  let to = (batch * params.rows + row) * params.out_row + params.out_column + head * ${headSize}u;
  ${unroll(
    Math.ceil(depth / 2),
    group => `workgroupBarrier();
  ${sums
    .slice(group * 2, group * 2 + 2)
    .map((name, j) => `${units.store(`${scores}u + strip + ${j * 4}u`, pitchOfScores, name)};`)
    .join('\n  ')}
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let column = ${group * 32}u + half * 16u + i * 4u;
    if (row < params.rows && column < ${headSize}u) {
      let value = bitcast<vec4f>(tile[${scores}u + own + i]);
      out[(to + column) >> 2u] = ${accumulate ? 'out[(to + column) >> 2u] + value' : 'value'};
    }
  }`,
  ).join('\n  ')}
}`
}
