import { largestFloat16 } from '../device/float16.ts'
import type { Recording } from '../plan/recording.ts'
import { matrixWgsl } from '../wgsl/matrix-units.ts'
import { unroll } from '../wgsl/text.ts'
import type { FlashBackward } from './flash-shape.ts'
import { halvesWgsl, headVectors, keyStartsWgsl, logOfE, seesWgsl, staged } from './flash-shape.ts'

export const keyTile = 64
export const rowTile = 32
const lanes = 256
const pitchOfScores = rowTile / 4 + 1

/** A gradient and the array that it is written to, laid out as the side it belongs to. */
export interface Write {
  side: 'k' | 'v'
  array: string
  accumulate: boolean
}

/** The kernel of `flashKeyGradients`; where it `counts`, a lane tells once whether slopes of scores were cut to float16's range. */
export function flashKeyGradientsWgsl(
  recording: Recording,
  { headSize, mask }: FlashBackward,
  { q, k, v, g }: Record<'q' | 'k' | 'v' | 'g', string>,
  { loads, writes, counts }: { loads: string; writes: readonly Write[]; counts: boolean },
): string {
  const units = matrixWgsl(recording.target.units)
  const listed = mask.kind === 'causal'
  const { pitch, blocks: depth } = headVectors(headSize)
  const part = { lanes, headSize }
  const keys = staged({ ...part, name: 'key', source: k, tileRows: keyTile })
  const values = staged({ ...part, name: 'value', source: v, tileRows: keyTile })
  const queries = staged({ ...part, name: 'query', source: q, tileRows: rowTile })
  const gradients = staged({ ...part, name: 'gradient', source: g, tileRows: rowTile })
  const gradientsAt = rowTile * pitch
  const scores = 2 * rowTile * pitch
  const slopes = scores + keyTile * pitchOfScores
  const end = slopes + keyTile * pitchOfScores
  const native = recording.target.units === 'native'
  const [keysAt, valuesAt] = native ? [0, 0] : [end, end + keyTile * pitch]
  const vectors = Math.max(end, valuesAt + keyTile * pitch)
  const half = Math.ceil(depth / 2)
  const blocksOf = (name: string, at: number) =>
    unroll(
      depth,
      d =>
        `let ${name}${d} = ${units.loadLeft('k', `${at}u + keys16 * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`)};`,
    ).join('\n  ')
  const product = (left: string, at: number, name: string) =>
    unroll(
      depth,
      d =>
        `${name} = ${units.multiply(`${left}${d}`, units.loadRight('k', `${at}u + side * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`), name)};`,
    ).join('\n      ')
  const gather = (left: number, at: number, name: string) =>
    unroll(
      2,
      j => `{ let left = ${units.loadLeft('k', `${left}u + strip + ${j * 4 + 1}u`, `${pitchOfScores}u`)};
      ${unroll(half, i => `${name}${i} = ${units.multiply('left', units.loadRight('index', `${at + j * 16 * pitch + i * 4}u + side * 2u`, `${pitch}u`), `${name}${i}`)};`).join('\n      ')} }`,
    ).join('\n    ')
  const tileOf = (counter: string) => (listed ? `blocks[range.x + ${counter} % width]` : `${counter} % width`)
  const fetches = `
    ${queries.fetch('next_row', 'last_row', `q_start + next_head * ${headSize}u`, 'params.q_row')}
    ${gradients.fetch('next_row', 'last_row', `g_start + next_head * ${headSize}u`, 'g_row')}
    if (lane < ${2 * rowTile}u) {
      let place = (batch * params.heads + next_head) * params.rows + min(next_row + lane % ${rowTile}u, last_row);
      stat = select(dots[place], logSums[place] * ${logOfE}, lane < ${rowTile}u);
    }`
  return `
var<workgroup> tile: array<vec4u, ${vectors}>;
var<workgroup> stats: array<f32, ${2 * rowTile}>;
var<workgroup> bounds: vec2u;
${units.declarations}
${halvesWgsl}${loads}
${seesWgsl(mask)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let index = workgroup_index(id);
  if (index >= params.count) { return; }
  let subgroup = ${units.subgroup};
  let keys16 = subgroup % 4u;
  let side = subgroup / 4u;
  let key_tile = index % params.tiles;
  let key_head = index / params.tiles % params.key_heads;
  let part = index / params.tiles / params.key_heads % params.parts;
  let batch = index / params.tiles / params.key_heads / params.parts;
  let first_head = key_head * params.ratio + part * params.part_heads;
  let first_key = key_tile * ${keyTile}u;
  let key = first_key + lane / 4u;
  let quarter = lane & 3u;
  let length = ${mask.kind === 'lengths' ? 'lengths[batch]' : 'params.key_rows'};
  let last_row = params.rows - 1u;
  let last_key = params.key_rows - 1u;
  if (lane == 0u) {
    bounds = ${listed ? 'vec2u(starts[key_tile], starts[key_tile + 1u])' : 'vec2u(0u, select(params.row_tiles, 0u, first_key >= length))'};
  }
  let range = workgroupUniformLoad(&bounds);
  let width = max(range.y - range.x, 1u);
  let steps = (range.y - range.x) * params.part_heads;
  let q_start = batch * params.rows * params.q_row + params.q_column;
  let g_row = params.heads * ${headSize}u;
  let g_start = batch * params.rows * g_row;
  ${keyStartsWgsl(headSize)}
  ${keys.declare}
  ${values.declare}
  ${keys.fetch('first_key', 'last_key', 'k_start', 'params.k_row')}
  ${values.fetch('first_key', 'last_key', 'v_start', 'params.v_row')}
  ${keys.put(`${keysAt}u`)}
  ${keys.pad(`${keysAt}u`)}
  workgroupBarrier();
  ${blocksOf('key_block', keysAt)}
  workgroupBarrier();
  ${values.put(`${valuesAt}u`)}
  ${values.pad(`${valuesAt}u`)}
  workgroupBarrier();
  ${blocksOf('value_block', valuesAt)}
  ${unroll(half, i => `var for_keys${i} = Sums(); var for_values${i} = Sums();`).join(' ')}
  ${queries.declare}
  ${gradients.declare}
  var stat = 0.0;
  let strip = keys16 * ${16 * pitchOfScores}u;
  let own = lane / 4u * ${pitchOfScores}u + quarter * 2u;
  // Where a lane's 8 numbers go as float16: beside those of its neighbour, with which they make a row of a block.
  let packed = own + 1u - (quarter & 1u);
  var block = ${tileOf('0u')};
  if (steps > 0u) {
    let next_row = (block & 0x7fffffffu) * ${rowTile}u;
    let next_head = first_head;${fetches}
  }
  ${counts ? 'var steepest = vec4f();' : ''}
  workgroupBarrier();
  ${queries.pad('0u')}
  ${gradients.pad(`${gradientsAt}u`)}
  for (var step = 0u; step < steps; step++) {
    let first_row = (block & 0x7fffffffu) * ${rowTile}u;
    let hides = ${listed ? 'block >= 0x80000000u' : `first_row + ${rowTile}u > params.rows || first_key + ${keyTile}u > length`};
    workgroupBarrier();
    ${queries.put('0u')}
    ${gradients.put(`${gradientsAt}u`)}
    if (lane < ${2 * rowTile}u) { stats[lane] = stat; }
    workgroupBarrier();
    if (step + 1u < steps) {
      block = ${tileOf('(step + 1u)')};
      let next_row = (block & 0x7fffffffu) * ${rowTile}u;
      let next_head = first_head + (step + 1u) / width;${fetches}
    }
    {
      var scores = Sums();
      ${product('key_block', 0, 'scores')}
      ${units.store(`${scores}u + strip + side * 4u`, pitchOfScores, 'scores')};
    }
    {
      var slopes = Sums();
      ${product('value_block', gradientsAt, 'slopes')}
      ${units.store(`${slopes}u + strip + side * 4u`, pitchOfScores, 'slopes')};
    }
    workgroupBarrier();
    ${unroll(
      2,
      i => `let at${i} = quarter * 8u + ${i * 4}u;
    // Rounding of huge scores must not make a probability greater than 1, let alone infinite.
    var share${i} = exp2(min(bitcast<vec4f>(tile[${scores}u + own + ${i}u]) * params.scale * ${logOfE} - vec4f(stats[at${i}], stats[at${i} + 1u], stats[at${i} + 2u], stats[at${i} + 3u]), vec4f()));`,
    ).join('\n    ')}
    if (hides) {
      ${unroll(2, i => unroll(4, j => `if (!sees(first_row + at${i} + ${j}u, key, length)) { share${i}[${j}] = 0.0; }`).join('\n      ')).join('\n      ')}
    }
    ${unroll(2, i => `let slope${i} = share${i} * (bitcast<vec4f>(tile[${slopes}u + own + ${i}u]) - vec4f(stats[${rowTile}u + at${i}], stats[${rowTile + 1}u + at${i}], stats[${rowTile + 2}u + at${i}], stats[${rowTile + 3}u + at${i}])) * params.scale;`).join('\n    ')}
    ${counts ? 'steepest = max(steepest, max(abs(slope0), abs(slope1)));' : ''}
    tile[${scores}u + packed] = halves(share0, share1);
    tile[${slopes}u + packed] = halves(slope0, slope1);
    workgroupBarrier();
    ${gather(scores, gradientsAt, 'for_values')}
    ${gather(slopes, 0, 'for_keys')}
  }
  ${counts ? `if (any(steepest > vec4f(${largestFloat16}.0))) { atomicAdd(&saturated[0], 1u); }` : ''}
  let to_k = (part * params.part_rows + batch * params.key_rows + key) * params.k_row + params.k_column + key_head * ${headSize}u;
  let to_v = (part * params.part_rows + batch * params.key_rows + key) * params.v_row + params.v_column + key_head * ${headSize}u;
  ${unroll(
    half,
    i => `workgroupBarrier();
  ${units.store(`${scores}u + strip + side * 4u`, pitchOfScores, `for_keys${i}`)};
  ${units.store(`${slopes}u + strip + side * 4u`, pitchOfScores, `for_values${i}`)};
  workgroupBarrier();
  for (var i = 0u; i < 2u; i++) {
    let column = ${i * 32}u + quarter * 8u + i * 4u;
    if (key < params.key_rows && column < ${headSize}u) {
      ${writes
        .map(({ side, array, accumulate }) => {
          const place = `${array}[(to_${side} + column) >> 2u]`
          const value = `bitcast<vec4f>(tile[${side === 'k' ? scores : slopes}u + own + i])`
          return `${place} = ${accumulate ? `${place} + ` : ''}${value};`
        })
        .join('\n      ')}
    }
  }`,
  ).join('\n  ')}
}`
}
