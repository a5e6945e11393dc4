import { blockIndexWgsl, blockRowsOf } from './decode-product.ts'
import { group } from './group.ts'
import { each, withinFloat16 } from './matmul-variant.ts'
import { matrixBlocks } from './matrix-blocks.ts'
import { kernel, type Plan, type Target } from './plan.ts'
import { sizeOf, type Tensor } from './tensor.ts'

/** Rows of queries that a workgroup looks at, at most. */
const mostRows = 64

/** Keys that a workgroup looks at. */
export const keysAtOnce = 64

/** Sequences that share a prompt, side by side in the batch. */
export interface PromptGroup {
  /** First row of the prompt in the prefix. */
  start: number
  length: number
  /** First of the sequences. */
  first: number
  count: number
}

export interface GroupAttention {
  groups: readonly PromptGroup[]
  /** float16 (keyValueHeads, sequences + `spareSequences`, heads / keyValueHeads, headSize) */
  queries: Tensor
  /** float16 (2, rows + keysAtOnce, keyValueHeads · headSize): finite everywhere. */
  prefix: Tensor
  /** float16 (2, sequences, capacity, keyValueHeads · headSize): finite everywhere. */
  cache: Tensor
  /** u32 (1): slots 0 to this one, inclusive, are seen. */
  position: Tensor
  /** Blocks of (sequences, heads · headSize), out. */
  out: Tensor
  sequences: number
  heads: number
  keyValueHeads: number
  headSize: number
  /** A multiple of `keysAtOnce`. */
  capacity: number
  scale: number
}

/** Sequences that the queries need room for beyond their own, since whole blocks of 16 rows are read. */
export const spareSequences = 16

/**
 * out = softmax(scale · q · kᵀ) · v for each sequence and head over its prompt and then its own tokens. A prompt's keys
 * are read once for all sequences and query heads that share them. Each workgroup makes the part of some keys; a second
 * dispatch puts the parts together. Queries, keys, values and weights are float16, scores and sums float32.
 */
export function groupAttention(plan: Plan, of: GroupAttention): void {
  const { groups, sequences, heads, keyValueHeads, headSize, capacity } = of
  const ratio = heads / keyValueHeads
  const wide = Math.max(1, Math.floor(mostRows / ratio)) // sequences whose rows share a workgroup
  const items: number[] = []
  const places: number[][] = []
  for (const { start, length, first, count } of groups) {
    const chunks = Math.ceil(length / keysAtOnce)
    for (let s = 0; s < count; s += wide) {
      const several = Math.min(wide, count - s)
      for (let i = 0; i < several; i++) places[first + s + i] = [items.length / 4, chunks, i]
      for (let c = 0; c < chunks; c++) {
        const keys = Math.min(keysAtOnce, length - c * keysAtOnce)
        items.push(first + s, several * ratio, start + c * keysAtOnce, keys)
      }
    }
  }
  const prefixItems = items.length / 4
  const prefixRows = Math.ceil((wide * ratio) / 16) * 16
  const ownRows = Math.ceil(ratio / 16) * 16
  const ownChunks = capacity / keysAtOnce
  const list = (label: string, values: readonly number[]) =>
    plan.constant(label, [values.length], Uint32Array.from(values))
  const rows = prefixItems * prefixRows + sequences * ownChunks * ownRows
  const sums = plan.tensor('attention parts', [keyValueHeads, rows, headSize])
  const weights = plan.tensor('attention weights', [keyValueHeads, rows, 2])
  const shared = {
    ...{ sequences, key_value_heads: keyValueHeads, ratio, capacity },
    ...{
      prefix_items: prefixItems,
      prefix_rows: prefixRows,
      own_rows: ownRows,
      own_chunks: ownChunks,
      part_rows: rows,
    },
  }
  plan.dispatch(pieces(plan.target, headSize), {
    params: {
      ...shared,
      query_sequences: of.queries.shape[1],
      prefix_values: sizeOf(of.prefix.shape) / 2 / 8,
      cache_values: sizeOf(of.cache.shape) / 2 / 8,
      scale: of.scale,
    },
    buffers: {
      items: list('attention items', items),
      queries: of.queries,
      prefix: of.prefix,
      cache: of.cache,
      position: of.position,
      sums,
      weights,
    },
    grid: (prefixItems + sequences * ownChunks) * keyValueHeads,
  })
  plan.dispatch(together(plan.target, headSize, blockRowsOf(sequences)), {
    params: { ...shared, row_blocks: of.out.shape[1] },
    buffers: {
      places: list('attention places', places.flat()),
      position: of.position,
      sums,
      weights,
      out: of.out,
    },
    grid: sequences * heads,
  })
}

const u32 = 'u32' as const
const sizes = {
  ...{ sequences: u32, key_value_heads: u32, ratio: u32, capacity: u32 },
  ...{ prefix_items: u32, prefix_rows: u32, own_rows: u32, own_chunks: u32, part_rows: u32 },
}

// One workgroup a piece of keys and a key head, four subgroups for each 16 rows: each scores 16 of the keys, then makes
// every fourth block of 16 columns of the values.
function pieces(target: Target, headSize: number) {
  const depth = headSize / 16
  const columnBlocks = each(Math.ceil(depth / 4), i => i)
  const units = matrixBlocks(target.units, {
    left: [
      { array: 'queries', fast: 'k' },
      { array: 'shares', fast: 'k' },
      { array: 'queries', fast: 'k' },
      { array: 'shares', fast: 'k' },
    ],
    right: [
      { array: 'prefix', fast: 'k' },
      { array: 'prefix', fast: 'index' },
      { array: 'cache', fast: 'k' },
      { array: 'cache', fast: 'index' },
    ],
    tiles: ['scores'],
    outputs: ['sums'],
  })
  const score = (array: number) => `
    ${each(depth, d => `let key${d} = ${units.right(`key_at + share * 16u * key_pitch + ${d * 2}u`, 'key_pitch', array)};`).join('\n    ')}
    ${each(depth, d => `let query${d} = ${units.left(`query_at + rows_of * ${headSize * 2}u + ${d * 2}u`, `${headSize / 8}u`, array)};`).join('\n    ')}
    ${columnBlocks.flatMap(i => each(4, k => `value${i}_${k} = ${units.right(`value_at + ${k * 16}u * key_pitch + min(share + ${i * 4}u, ${depth - 1}u) * 2u`, 'key_pitch', array + 1)};`)).join('\n    ')}
    var points = Sums();
    ${each(depth, d => `points = ${units.multiply(`query${d}`, `key${d}`, 'points', array)};`).join('\n    ')}
    ${units.store('scores', 'rows_of * 272u + share * 4u', 17, 'points')};`
  const gather = (array: number) => `
    ${each(4, k => `let weight${k} = ${units.left(`rows_of * 144u + ${k * 2}u`, '9u', array + 1)};`).join('\n    ')}
    ${columnBlocks
      .map(
        i => `var made${i} = Sums();
    ${each(4, k => `made${i} = ${units.multiply(`weight${k}`, `value${i}_${k}`, `made${i}`, array + 1)};`).join(' ')}
    ${(i + 1) * 4 <= depth ? '' : `if (share + ${i * 4}u < ${depth}u) `}{ ${units.storeTo('sums', `(part_at + rows_of * 16u) * ${headSize}u + (share + ${i * 4}u) * 16u`, headSize, `made${i}`)}; }`,
      )
      .join('\n    ')}`
  return kernel({
    name: `decode_attention_parts_${headSize}`,
    enables:
      target.units === 'native'
        ? `${units.enables}\ndiagnostic(off, chromium.subgroup_matrix_uniformity);`
        : '',
    params: { ...sizes, query_sequences: 'u32', prefix_values: 'u32', cache_values: 'u32', scale: 'f32' },
    buffers: {
      items: { element: 'vec4u', access: 'read' }, // (prefix items): first sequence, rows, first key, keys
      queries: { element: 'vec4u', access: 'read' },
      prefix: { element: 'vec4u', access: 'read' },
      cache: { element: 'vec4u', access: 'read' },
      position: { element: 'u32', access: 'read' }, // (1)
      sums: { element: 'f32', access: 'write' }, // (keyValueHeads, rows of all pieces, headSize)
      weights: { element: 'vec2f', access: 'write' }, // (keyValueHeads, rows of all pieces): highest score, mass
    },
    code: `
var<workgroup> scores: array<vec4u, ${mostRows * 17}>; // (rows, 64 keys and 4 more against bank conflicts)
var<workgroup> shares: array<vec4u, ${mostRows * 9}>; // float16 (rows, 64 keys and 8 more)
var<workgroup> tops: array<f32, 512>;
var<workgroup> masses: array<f32, 512>;
var<workgroup> seen: u32;
${units.declarations}
@compute @workgroup_size(512)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let place = workgroup_index(id);
  let head = place % params.key_value_heads;
  let item = place / params.key_value_heads;
  if (item >= params.prefix_items + params.sequences * params.own_chunks) { return; }
  let shared_keys = item < params.prefix_items;
  var sequence = 0u;
  var rows = params.ratio;
  var first_key = 0u;
  var keys = 64u;
  var part = 0u;
  if (shared_keys) {
    let of_item = items[item];
    sequence = of_item.x;
    rows = of_item.y;
    first_key = of_item.z;
    keys = of_item.w;
    part = item * params.prefix_rows;
  } else {
    let own = item - params.prefix_items;
    sequence = own / params.own_chunks;
    first_key = own % params.own_chunks * 64u;
    if (lane == 0u) { seen = min(position[0] + 1u, params.capacity); }
    let written = workgroupUniformLoad(&seen);
    if (first_key >= written) { return; }
    keys = min(64u, written - first_key);
    first_key += sequence * params.capacity;
    part = params.prefix_items * params.prefix_rows + own * params.own_rows;
  }
  let rows_of = ${units.subgroup} / 4u;
  let share = ${units.subgroup} % 4u;
  let works = rows_of * 16u < rows;
  let key_pitch = params.key_value_heads * ${headSize / 8}u;
  let key_at = first_key * key_pitch + head * ${headSize / 8}u;
  let value_at = key_at + select(params.cache_values, params.prefix_values, shared_keys);
  let query_at = (head * params.query_sequences + sequence) * params.ratio * ${headSize / 8}u;
  let part_at = head * params.part_rows + part;
  ${columnBlocks.flatMap(i => each(4, k => `var value${i}_${k}: Right;`)).join(' ')}
  if (works && shared_keys) {${score(0)}
  } else if (works) {${score(2)}
  }
  workgroupBarrier();
  // Eight lanes a row, each of them eight keys.
  let row = lane / 8u;
  let eighth = lane % 8u * 2u;
  let at = vec4u(eighth * 4u) + vec4u(0u, 1u, 2u, 3u);
  let low = select(vec4f(-3.0e38), bitcast<vec4f>(scores[row * 17u + eighth]) * params.scale, at < vec4u(keys));
  let high = select(vec4f(-3.0e38), bitcast<vec4f>(scores[row * 17u + eighth + 1u]) * params.scale, at + 4u < vec4u(keys));
  let both = max(low, high);
  tops[lane] = max(max(both.x, both.y), max(both.z, both.w));
  workgroupBarrier();
  var top = tops[row * 8u];
  for (var i = 1u; i < 8u; i++) { top = max(top, tops[row * 8u + i]); }
  let a = select(vec4f(), exp(max(low - top, vec4f(-87.0))), at < vec4u(keys));
  let b = select(vec4f(), exp(max(high - top, vec4f(-87.0))), at + 4u < vec4u(keys));
  shares[row * 9u + lane % 8u] = vec4u(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
  masses[lane] = dot(a + b, vec4f(1.0));
  workgroupBarrier();
  if (lane % 8u == 0u && row < rows) {
    var mass = masses[lane];
    for (var i = 1u; i < 8u; i++) { mass += masses[lane + i]; }
    weights[part_at + row] = vec2f(top, mass);
  }
  if (works && shared_keys) {${gather(0)}
  } else if (works) {${gather(2)}
  }
}`,
  })
}

// One workgroup a sequence and head: a lane weighs a part, then lanes own columns.
function together(target: Target, headSize: number, high: number) {
  const { width, functions } = group(target)
  return kernel({
    name: 'decode_attention_together',
    enables: 'enable f16;',
    params: { ...sizes, row_blocks: 'u32' },
    buffers: {
      places: { element: 'u32', access: 'read' }, // (sequences, 3): first prefix item, how many, place in the group
      position: { element: 'u32', access: 'read' }, // (1)
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
    let written = min(position[0] + 1u, params.capacity);
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
