import { largestFloat16 } from '../device/float16.ts'
import type { Recording } from '../plan/recording.ts'
import type { BlocksWgsl } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import type { FlashBackward } from './flash-shape.ts'
import {
  alongHead,
  alongTile,
  flashBlocks,
  halvesWgsl,
  headVectors,
  keyStartsWgsl,
  logOfE,
  seesWgsl,
  staged,
} from './flash-shape.ts'

// The shader of dK and dV, phase by phase. `flash-key-gradients.ts` says what it computes and how the work is divided.

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

/** WGSL names of the bound tensors: queries, keys, values and the gradient of the result. */
type Names = Record<'q' | 'k' | 'v' | 'g', string>

/** What differs between kernels besides shape and names; with `counts`, a lane adds 1 where slopes were clamped. */
interface Options {
  loads: string
  writes: readonly Write[]
  counts: boolean
}

type Layout = ReturnType<typeof layoutOf>

export function flashKeyGradientsWgsl(
  recording: Recording,
  { headSize, mask }: FlashBackward,
  names: Names,
  { loads, writes, counts }: Options,
): string {
  const { units: kind } = recording.target
  const units = flashBlocks(kind)
  const layout = layoutOf(headSize, kind === 'native')
  const stages = stagesOf(names, headSize)
  const listed = mask.kind === 'causal'
  return `
var<workgroup> tile: array<vec4u, ${layout.vectors}>;
var<workgroup> stats: array<f32, ${2 * rowTile}>;
var<workgroup> bounds: vec2u;
${units.declarations}
${halvesWgsl}${loads}
${seesWgsl(mask)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${placeWgsl(units, mask, headSize)}
  ${loadKeysWgsl(units, layout, stages)}
  ${firstRowsWgsl(stages, listed)}
  ${counts ? 'var steepest = vec4f();' : ''}
  workgroupBarrier();
  ${stages.queries.pad('0u')}
  ${stages.gradients.pad(`${layout.gradients}u`)}
  for (var step = 0u; step < steps; step++) {
    ${nextRowsWgsl(layout, stages, listed)}
    ${multiplyWgsl(units, layout)}
    workgroupBarrier();
    ${slopesWgsl(layout, counts)}
    workgroupBarrier();
    ${addWgsl(units, layout, layout.scores, layout.gradients, 'for_values')}
    ${addWgsl(units, layout, layout.slopes, 0, 'for_keys')}
  }
  ${counts ? `if (any(steepest > vec4f(${largestFloat16}.0))) { atomicAdd(&saturated[0], 1u); }` : ''}
  ${finishWgsl(units, layout, headSize, writes)}
}`
}

/**
 * Where things lie in workgroup memory, in vectors: queries at 0, then gradients, scores and slopes. Keys and values lie
 * there only until they are in registers; loops in place of matrix units read them from memory each time, so there they
 * keep a place of their own.
 */
function layoutOf(headSize: number, isNative: boolean) {
  const { pitch, blocks: depth } = headVectors(headSize)
  const gradients = rowTile * pitch
  const scores = 2 * rowTile * pitch
  const slopes = scores + keyTile * pitchOfScores
  const end = slopes + keyTile * pitchOfScores
  const [keys, values] = isNative ? [0, 0] : [end, end + keyTile * pitch]
  const vectors = Math.max(end, values + keyTile * pitch)
  return { pitch, depth, half: Math.ceil(depth / 2), gradients, scores, slopes, keys, values, vectors }
}

function stagesOf({ q, k, v, g }: Names, headSize: number) {
  const of = { lanes, headSize }
  const queries = staged({ ...of, name: 'query', source: q, tileRows: rowTile })
  const gradients = staged({ ...of, name: 'gradient', source: g, tileRows: rowTile })
  return {
    keys: staged({ ...of, name: 'key', source: k, tileRows: keyTile }),
    values: staged({ ...of, name: 'value', source: v, tileRows: keyTile }),
    queries,
    gradients,
    /** Fetches the rows of a step, and what is known of each: a lane of the first 32 its log sum, of the next its dot. */
    fetchRows: `
    ${queries.fetch('next_row', 'last_row', `q_start + next_head * ${headSize}u`, 'params.q_row')}
    ${gradients.fetch('next_row', 'last_row', `g_start + next_head * ${headSize}u`, 'g_row')}
    if (lane < ${2 * rowTile}u) {
      let place = (batch * params.heads + next_head) * params.rows + min(next_row + lane % ${rowTile}u, last_row);
      stat = select(dots[place], logSums[place] * ${logOfE}, lane < ${rowTile}u);
    }`,
  }
}

type Stages = ReturnType<typeof stagesOf>

/** Which keys of which key head the workgroup makes, which part of the query heads it goes through, and where they lie. */
const placeWgsl = (units: BlocksWgsl, { kind }: FlashBackward['mask'], headSize: number): string =>
  `let index = workgroup_index(id);
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
  let length = ${kind === 'lengths' ? 'lengths[batch]' : 'params.key_rows'};
  let last_row = params.rows - 1u;
  let last_key = params.key_rows - 1u;
  if (lane == 0u) {
    bounds = ${kind === 'causal' ? 'vec2u(starts[key_tile], starts[key_tile + 1u])' : 'vec2u(0u, select(params.row_tiles, 0u, first_key >= length))'};
  }
  let range = workgroupUniformLoad(&bounds);
  let width = max(range.y - range.x, 1u);
  let steps = (range.y - range.x) * params.part_heads;
  let q_start = batch * params.rows * params.q_row + params.q_column;
  let g_row = params.heads * ${headSize}u;
  let g_start = batch * params.rows * g_row;
  ${keyStartsWgsl(headSize)}`

/** Load: the workgroup's keys and values become blocks in registers, where they stay for all steps. */
function loadKeysWgsl(units: BlocksWgsl, layout: Layout, { keys, values }: Stages): string {
  const { pitch, depth, half } = layout
  const blocks = (name: string, at: number) =>
    unroll(depth, d => {
      const block = units.left(`${at}u + keys16 * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`)
      return `let ${name}${d} = ${block};`
    }).join('\n  ')
  return `${keys.declare}
  ${values.declare}
  ${keys.fetch('first_key', 'last_key', 'k_start', 'params.k_row')}
  ${values.fetch('first_key', 'last_key', 'v_start', 'params.v_row')}
  ${keys.put(`${layout.keys}u`)}
  ${keys.pad(`${layout.keys}u`)}
  workgroupBarrier();
  ${blocks('key_block', layout.keys)}
  workgroupBarrier();
  ${values.put(`${layout.values}u`)}
  ${values.pad(`${layout.values}u`)}
  workgroupBarrier();
  ${blocks('value_block', layout.values)}
  ${unroll(half, i => `var for_keys${i} = Sums(); var for_values${i} = Sums();`).join(' ')}`
}

const tileOf = (counter: string, listed: boolean): string =>
  listed ? `blocks[range.x + ${counter} % width]` : `${counter} % width`

/** Load: asks for the rows of the first step. */
const firstRowsWgsl = ({ queries, gradients, fetchRows }: Stages, listed: boolean): string =>
  `${queries.declare}
  ${gradients.declare}
  var stat = 0.0;
  let strip = keys16 * ${16 * pitchOfScores}u;
  let own = lane / 4u * ${pitchOfScores}u + quarter * 2u;
  // Where a lane's 8 numbers go as float16: next to those of its neighbour, with which they make a row of a block.
  let packed = own + 1u - (quarter & 1u);
  var block = ${tileOf('0u', listed)};
  if (steps > 0u) {
    let next_row = (block & 0x7fffffffu) * ${rowTile}u;
    let next_head = first_head;${fetchRows}
  }`

/** Load: puts the rows of this step into workgroup memory and asks for those of the next. */
const nextRowsWgsl = (layout: Layout, { queries, gradients, fetchRows }: Stages, listed: boolean): string =>
  `let first_row = (block & 0x7fffffffu) * ${rowTile}u;
    let hides = ${listed ? 'block >= 0x80000000u' : `first_row + ${rowTile}u > params.rows || first_key + ${keyTile}u > length`};
    workgroupBarrier();
    ${queries.put('0u')}
    ${gradients.put(`${layout.gradients}u`)}
    if (lane < ${2 * rowTile}u) { stats[lane] = stat; }
    workgroupBarrier();
    if (step + 1u < steps) {
      block = ${tileOf('(step + 1u)', listed)};
      let next_row = (block & 0x7fffffffu) * ${rowTile}u;
      let next_head = first_head + (step + 1u) / width;${fetchRows}
    }`

/** Multiply: Sᵀ = K Qᵀ and dPᵀ = V dOᵀ of the step, each subgroup a block of 16 keys × 16 rows. */
function multiplyWgsl(units: BlocksWgsl, { pitch, depth, scores, slopes, gradients }: Layout): string {
  const product = (left: string, at: number, name: string) =>
    unroll(depth, d => {
      const right = units.right(`${at}u + side * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`, alongHead)
      return `${name} = ${units.multiply(`${left}${d}`, right, name, alongHead)};`
    }).join('\n      ')
  return `{
      var scores = Sums();
      ${product('key_block', 0, 'scores')}
      ${units.store('tile', `${scores}u + strip + side * 4u`, pitchOfScores, 'scores')};
    }
    {
      var slopes = Sums();
      ${product('value_block', gradients, 'slopes')}
      ${units.store('tile', `${slopes}u + strip + side * 4u`, pitchOfScores, 'slopes')};
    }`
}

/** Makes P and dS of 8 scores a lane, and puts them back as float16 in place of the scores. */
function slopesWgsl({ scores, slopes }: Layout, counts: boolean): string {
  const logSums = (i: number) => `stats[at${i}], stats[at${i} + 1u], stats[at${i} + 2u], stats[at${i} + 3u]`
  const dots = (i: number) => unroll(4, j => `stats[${rowTile + j}u + at${i}]`).join(', ')
  const shares = unroll(
    2,
    i => `let at${i} = quarter * 8u + ${i * 4}u;
    // Rounding of huge scores must not make a probability greater than 1, let alone infinite.
    var share${i} = exp2(min(bitcast<vec4f>(tile[${scores}u + own + ${i}u]) * params.scale * ${logOfE} - vec4f(${logSums(i)}), vec4f()));`,
  )
  const hidden = (i: number) =>
    unroll(4, j => `if (!sees(first_row + at${i} + ${j}u, key, length)) { share${i}[${j}] = 0.0; }`).join(
      '\n      ',
    )
  const slope = (i: number) =>
    `let slope${i} = share${i} * (bitcast<vec4f>(tile[${slopes}u + own + ${i}u]) - vec4f(${dots(i)})) * params.scale;`
  return `${shares.join('\n    ')}
    if (hides) {
      ${unroll(2, hidden).join('\n      ')}
    }
    ${unroll(2, slope).join('\n    ')}
    ${counts ? 'steepest = max(steepest, max(abs(slope0), abs(slope1)));' : ''}
    tile[${scores}u + packed] = halves(share0, share1);
    tile[${slopes}u + packed] = halves(slope0, slope1);`
}

/** Multiply: adds Pᵀ dO to dV, or dSᵀ Q to dK; of the columns, each subgroup of a pair makes every other 16. */
function addWgsl(
  units: BlocksWgsl,
  { pitch, half }: Layout,
  left: number,
  rows: number,
  sums: string,
): string {
  const multiply = (j: number) => (i: number) => {
    const right = units.right(`${rows + j * 16 * pitch + i * 4}u + side * 2u`, `${pitch}u`, alongTile)
    return `${sums}${i} = ${units.multiply('left', right, `${sums}${i}`, alongTile)};`
  }
  return unroll(
    2,
    j => `{ let left = ${units.left(`${left}u + strip + ${j * 4 + 1}u`, `${pitchOfScores}u`, alongTile)};
      ${unroll(half, multiply(j)).join('\n      ')} }`,
  ).join('\n    ')
}

/** Finish: sums go through the room of the scores to memory, 32 columns at a time. */
function finishWgsl(
  units: BlocksWgsl,
  { half, scores, slopes }: Layout,
  headSize: number,
  writes: readonly Write[],
): string {
  const write = ({ side, array, accumulate }: Write) => {
    const place = `${array}[(to_${side} + column) >> 2u]`
    const value = `bitcast<vec4f>(tile[${side === 'k' ? scores : slopes}u + own + i])`
    return `${place} = ${accumulate ? `${place} + ` : ''}${value};`
  }
  return `let to_k = (part * params.part_rows + batch * params.key_rows + key) * params.k_row + params.k_column + key_head * ${headSize}u;
  let to_v = (part * params.part_rows + batch * params.key_rows + key) * params.v_row + params.v_column + key_head * ${headSize}u;
  ${unroll(
    half,
    i => `workgroupBarrier();
  ${units.store('tile', `${scores}u + strip + side * 4u`, pitchOfScores, `for_keys${i}`)};
  ${units.store('tile', `${slopes}u + strip + side * 4u`, pitchOfScores, `for_values${i}`)};
  workgroupBarrier();
  for (var i = 0u; i < 2u; i++) {
    let column = ${i * 32}u + quarter * 8u + i * 4u;
    if (key < params.key_rows && column < ${headSize}u) {
      ${writes.map(write).join('\n      ')}
    }
  }`,
  ).join('\n  ')}`
}
