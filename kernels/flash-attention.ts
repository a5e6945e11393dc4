import { bindHeads, flashKernel } from './flash-kernel.ts'
import {
  type AttentionShape,
  type Heads,
  halvesWgsl,
  headVectors,
  hiddenScore,
  hiddenWgsl,
  keyStartsWgsl,
  logOfE,
  staged,
  unseen,
} from './flash-parts.ts'
import { each } from './matmul-variant.ts'
import { matrixWgsl } from './matrix-units.ts'
import type { Plan } from './plan.ts'
import type { Tensor } from './tensor.ts'

export interface FlashAttention extends AttentionShape {
  queries: Heads
  keys: Heads
  values: Heads
  /** (batches · rows, heads · headSize), f32 or f16 */
  out: Tensor
  /** (batches, heads, rows): log Σ exp of each row's scores */
  logSums: Tensor
  /** Subgroups of a workgroup, 16 rows each: for measuring and testing. */
  subgroups?: number
}

const keyTile = 64
/** Vectors of a row of scores: 64 float32, one vector apart more. */
const scorePitch = keyTile / 4 + 1
/** How far, in powers of two, a score may exceed the largest at the last rescaling: 2^11 still is well inside float16. */
const slack = 11

/**
 * softmax(scale · Q Kᵀ + mask) V on matrix units, without the scores ever being in memory: a workgroup makes 64 rows of
 * a head, its subgroups 16 each, going through the keys 64 at a time. Exponentials are taken against the largest score
 * at some earlier block; only when a row exceeds it by much are its sums rescaled, since blocks of sums cannot be
 * changed but through workgroup memory. Probabilities are rounded to float16, sums are float32.
 */
export function flashAttention(plan: Plan, of: FlashAttention): void {
  const { out, logSums, batches, rows, heads, subgroups = 4 } = of
  const rowTile = subgroups * 16
  const { bindings, names } = bindHeads(plan, of, { rowTile, keyTile, transposed: false })
  bindings.add('out', out, { element: out.type === 'f16' ? 'vec4u' : 'vec4f', access: 'write' })
  bindings.add('logSums', logSums, { element: 'f32', access: 'write' })
  const tiles = Math.ceil(rows / rowTile)
  flashKernel(plan, of, {
    ...{ name: 'flash_attention', bindings, tiles, workgroups: tiles * heads * batches },
    variant: [subgroups, names],
    scale: of.scale * logOfE,
    code: () => source(plan, of, names, bindings.loads),
  })
}

function source(
  plan: Plan,
  of: FlashAttention,
  { q, k, v }: Record<'q' | 'k' | 'v', string>,
  loads: string,
): string {
  const { headSize, mask, out, subgroups = 4 } = of
  const [rowTile, lanes] = [subgroups * 16, subgroups * 32]
  const units = matrixWgsl(plan.target.units)
  const listed = mask.kind === 'causal'
  const { pitch, blocks: depth } = headVectors(headSize)
  const part = { lanes, headSize }
  const queries = staged({ ...part, name: 'query', source: q, tileRows: rowTile })
  const keys = staged({ ...part, name: 'key', source: k, tileRows: keyTile })
  const values = staged({ ...part, name: 'value', source: v, tileRows: keyTile })
  const scores = keyTile * pitch
  // Units keep blocks of queries in registers; loops in their place read them from memory each time.
  const queriesAt = plan.target.units === 'native' ? 0 : scores + rowTile * scorePitch
  const vectors = Math.max(scores + rowTile * scorePitch, queriesAt + rowTile * pitch)
  const sums = each(depth, d => `sums${d}`)
  const eight = each(8, i => i)
  const strip = `${scores}u + subgroup * ${16 * scorePitch}u`
  return `
var<workgroup> tile: array<vec4u, ${vectors}>;
var<workgroup> bounds: vec2u;
var<workgroup> grown: u32;
${units.declarations}
${halvesWgsl}${loads}
${hiddenWgsl(mask)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let index = workgroup_index(id);
  if (index >= params.count) { return; }
  let subgroup = ${units.subgroup};
  // The last tiles first: under a causal mask they take longest.
  let row_tile = params.tiles - 1u - index % params.tiles;
  let head = index / params.tiles % params.heads;
  let batch = index / params.tiles / params.heads;
  let first_row = row_tile * ${rowTile}u;
  let row = first_row + lane / 2u;
  let half = lane & 1u;
  let length = ${mask.kind === 'lengths' ? 'lengths[batch]' : 'params.key_rows'};
  let last_key = params.key_rows - 1u;
  if (lane == 0u) {
    grown = 0u;
    bounds = ${listed ? 'vec2u(starts[row_tile], starts[row_tile + 1u])' : `vec2u(0u, (min(length, params.key_rows) + ${keyTile - 1}u) / ${keyTile}u)`};
  }
  let range = workgroupUniformLoad(&bounds);
  let q_start = batch * params.rows * params.q_row + params.q_column + head * ${headSize}u;
  let key_head = head / params.ratio;
  ${keyStartsWgsl(headSize)}
  ${queries.declare}
  ${queries.fetch('first_row', 'params.rows - 1u', 'q_start', 'params.q_row')}
  ${queries.put(`${queriesAt}u`)}
  workgroupBarrier();
  ${each(depth, d => `let query_block${d} = ${units.loadLeft('k', `${queriesAt}u + subgroup * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`)};`).join('\n  ')}
  ${sums.map(name => `var ${name}: Sums;`).join(' ')}
  ${keys.declare}
  ${values.declare}
  // Two lanes share a row, each has 32 of its scores; the second goes through them from its middle on, which spreads
  // the two over the banks of workgroup memory.
  let own = ${scores}u + lane / 2u * ${scorePitch}u + half * 8u;
  let twist = half * 4u;
  let seen_from = min(row, params.rows - 1u);
  let lineage = lineage_of(seen_from);
  var largest = f32(${unseen});
  var total = 0.0;
  var block = ${listed ? 'blocks[range.x]' : 'range.x'};
  ${keys.fetch(`(block & 0x7fffffffu) * ${keyTile}u`, 'last_key', 'k_start', 'params.k_row')}
  for (var at = range.x; at < range.y; at++) {
    let first_key = (block & 0x7fffffffu) * ${keyTile}u;
    let hides = ${listed ? 'block >= 0x80000000u' : `first_key + ${keyTile}u > length`};
    workgroupBarrier();
    ${keys.put('0u')}
    workgroupBarrier();
    ${values.fetch('first_key', 'last_key', 'v_start', 'params.v_row')}
    {
      ${each(4, j => `var scores${j} = Sums();`).join(' ')}
      ${each(depth, d => each(4, j => `scores${j} = ${units.multiply(`query_block${d}`, units.loadRight('k', `${j * 16 * pitch + d * 2}u`, `${pitch}u`), `scores${j}`)};`).join('\n      ')).join('\n      ')}
      ${each(4, j => `${units.store(`${strip} + ${j * 4}u`, scorePitch, `scores${j}`)};`).join('\n      ')}
    }
    workgroupBarrier();
    ${values.put('0u')}
    block = ${listed ? 'blocks[min(at + 1u, range.y - 1u)]' : 'min(at + 1u, range.y - 1u)'};
    ${keys.fetch(`(block & 0x7fffffffu) * ${keyTile}u`, 'last_key', 'k_start', 'params.k_row')}
    ${eight.map(i => `var s${i} = bitcast<vec4f>(tile[own + (${i}u ^ twist)]) * params.scale;`).join('\n    ')}
    if (hides) {
      let key = first_key + half * 32u;
      ${eight.map(i => `s${i} = select(s${i}, vec4f(${hiddenScore}), hidden4(seen_from, lineage, key + (${i}u ^ twist) * 4u, length));`).join('\n      ')}
    }
    let most4 = ${eight.slice(1).reduce((inner, i) => `max(${inner}, s${i})`, 's0')};
    var most = max(max(most4.x, most4.y), max(most4.z, most4.w));
    most = max(most, subgroupShuffleXor(most, 1u));
    var shrink = 1.0;
    if (most > largest + ${slack}.0) {
      shrink = exp2(largest - most);
      if (largest > ${unseen / 2}) { grown = 1u; }
      largest = most;
    }
    ${eight.map(i => `s${i} = exp2(s${i} - largest);`).join('\n    ')}
    total = total * shrink + dot(${eight.slice(1).reduce((inner, i) => `${inner} + s${i}`, 's0')}, vec4f(1.0));
    ${each(4, i => `tile[own + (${i}u ^ (twist / 2u))] = halves(s${2 * i}, s${2 * i + 1});`).join('\n    ')}
    if (workgroupUniformLoad(&grown) != 0u) {
      if (lane == 0u) { grown = 0u; }
      ${each(Math.ceil(depth / 2), pair => rescale(units, sums.slice(pair * 2, pair * 2 + 2), strip)).join('\n      ')}
    }
    ${each(
      4,
      j => `{ let share = ${units.loadLeft('k', `${strip} + ${(j >> 1) * 8 + (j & 1) * 2}u`, `${scorePitch}u`)};
      ${sums.map((name, d) => `${name} = ${units.multiply('share', units.loadRight('index', `${j * 16 * pitch + d * 2}u`, `${pitch}u`), name)};`).join('\n      ')} }`,
    ).join('\n    ')}
  }
  total += subgroupShuffleXor(total, 1u);
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  if (half == 0u && row < params.rows) {
    logSums[(batch * params.heads + head) * params.rows + row] = select(${-hiddenScore}, (largest + log2(total)) * ${Math.LN2}, total > 0.0);
  }
  let to = ((batch * params.rows + row) * params.heads + head) * ${headSize}u;
  ${each(
    Math.ceil(depth / 4),
    group => `workgroupBarrier();
  ${sums
    .slice(group * 4, group * 4 + 4)
    .map((name, j) => `${units.store(`${strip} + ${j * 4}u`, scorePitch, name)};`)
    .join('\n  ')}
  workgroupBarrier();
  for (var i = 0u; i < 8u; i += 2u) {
    let column = ${group * 64}u + half * 32u + (i ^ twist) * 4u;
    if (row < params.rows && column < ${headSize}u) {
      let low = bitcast<vec4f>(tile[own + (i ^ twist)]) * inverse;
      let high = bitcast<vec4f>(tile[own + (i ^ twist) + 1u]) * inverse;
      ${out.type === 'f16' ? 'out[(to + column) >> 3u] = halves(low, high);' : 'out[(to + column) >> 2u] = low;\n      out[((to + column) >> 2u) + 1u] = high;'}
    }
  }`,
  ).join('\n  ')}
}`
}

/** Scales the rows of up to two blocks of sums, through the room that probabilities leave among the scores. */
function rescale(units: ReturnType<typeof matrixWgsl>, names: readonly string[], strip: string): string {
  const place = (i: number) => `${strip} + ${i * 8 + 4}u`
  return `workgroupBarrier();
      ${names.map((name, i) => `${units.store(place(i), scorePitch, name)};`).join(' ')}
      workgroupBarrier();
      for (var i = 4u; i < 8u; i++) { tile[own + i] = bitcast<vec4u>(bitcast<vec4f>(tile[own + i]) * shrink); }
      workgroupBarrier();
      ${names.map((name, i) => `${name} = ${units.loadSums(place(i), scorePitch)};`).join(' ')}`
}
