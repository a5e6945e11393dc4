import { kernel, type Target } from '../device/kernel.ts'
import { matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'

/** Rows of queries that a workgroup looks at, at most. */
export const mostRows = 64

/** Lanes of a workgroup: 8 for each row. */
const pieceLanes = 8 * mostRows

/** Keys that a workgroup looks at. */
export const keysAtOnce = 64

const u32 = 'u32' as const
/** Params of both kernels. */
export const partSizes = {
  ...{ sequences: u32, key_value_heads: u32, ratio: u32, capacity: u32 },
  ...{ prefix_items: u32, prefix_rows: u32, own_rows: u32, own_chunks: u32, part_rows: u32 },
}

/**
 * Scores, weights and weighted sums of a piece of keys, for the rows that look at it: each row's highest score, the mass
 * of its weights and the sum of its values, all relative to that score. One workgroup a piece and a key head, four
 * subgroups for each 16 rows. Queries and keys go through workgroup memory; a subgroup scores 16 of the keys; values and
 * weights take their place; then it makes every fourth block of 16 columns of the values.
 */
export function groupParts(target: Target, headSize: number) {
  const depth = headSize / 16
  const vectors = headSize / 8 // of a row
  const pitch = vectors + 1 // against bank conflicts
  const columnBlocks = unroll(Math.ceil(depth / 4), i => i)
  const units = matrixBlocks(target.units, {
    left: [
      { array: 'rows_tile', fast: 'k' },
      { array: 'rows_tile', fast: 'k' },
    ],
    right: [
      { array: 'keys_tile', fast: 'k' },
      { array: 'keys_tile', fast: 'index' },
    ],
    tiles: ['rows_tile'],
    outputs: ['sums'],
  })
  const chunks = unroll(Math.ceil((keysAtOnce * vectors) / pieceLanes), i => i)
  const isWhole = (keysAtOnce * vectors) % pieceLanes === 0
  const guarded = (i: number, line: string) =>
    isWhole ? line : `if (lane + ${i * pieceLanes}u < ${keysAtOnce * vectors}u) { ${line} }`
  const row = (i: number) => `(lane + ${i * pieceLanes}u) / ${vectors}u`
  const vector = (i: number) => `(lane + ${i * pieceLanes}u) % ${vectors}u`
  const put = (array: string, name: string) =>
    chunks.map(i => guarded(i, `${array}[${row(i)} * ${pitch}u + ${vector(i)}] = ${name}${i};`)).join('\n  ')
  const fetch = (array: string, values: string) =>
    chunks
      .map(
        i => `let at${i} = key_at + min(${row(i)}, ${keysAtOnce - 1}u) * key_pitch + ${vector(i)};
    key${i} = ${array}[at${i}]; value${i} = ${array}[at${i} + ${values}];`,
      )
      .join('\n    ')
  const scorePitch = keysAtOnce / 4 + 1
  const sharePitch = keysAtOnce / 8 + 1
  return kernel({
    name: `decode_attention_parts_${headSize}`,
    enables:
      target.units === 'native'
        ? `${units.enables}\ndiagnostic(off, chromium.subgroup_matrix_uniformity);`
        : '',
    params: { ...partSizes, query_sequences: 'u32', prefix_values: 'u32', cache_values: 'u32', scale: 'f32' },
    buffers: {
      items: { element: 'vec4u', access: 'read' }, // (prefix items): first sequence, rows, first key, keys or 0
      queries: { element: 'vec4u', access: 'read' },
      prefix: { element: 'vec4u', access: 'read' },
      cache: { element: 'vec4u', access: 'read' },
      position: { element: 'u32', access: 'read' }, // (sequences)
      sums: { element: 'f32', access: 'write' }, // (keyValueHeads, rows of all pieces, headSize)
      weights: { element: 'vec2f', access: 'write' }, // (keyValueHeads, rows of all pieces): highest score, mass
    },
    code: `
var<workgroup> rows_tile: array<vec4u, ${mostRows * Math.max(pitch, scorePitch)}>; // queries, then scores, then weights
var<workgroup> keys_tile: array<vec4u, ${keysAtOnce * pitch}>; // keys, then values
var<workgroup> lane_values: array<f32, ${pieceLanes}>;
var<workgroup> seen: u32;
${units.declarations}
@compute @workgroup_size(${pieceLanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let place = workgroup_index(id);
  let head = place % params.key_value_heads;
  let item = place / params.key_value_heads;
  if (item >= params.prefix_items + params.sequences * params.own_chunks) { return; }
  let shared_keys = item < params.prefix_items;
  let own = item - params.prefix_items; // wraps around where it is not used
  if (lane == 0u) {
    if (shared_keys) { seen = items[item].w; }
    else { seen = min(position[own / params.own_chunks] + 1u, params.capacity); }
  }
  let written = workgroupUniformLoad(&seen);
  if (written == 0u) { return; }
  var sequence = 0u;
  var rows = params.ratio;
  var first_key = 0u;
  var keys = ${keysAtOnce}u;
  var part = 0u;
  if (shared_keys) {
    let of_item = items[item];
    sequence = of_item.x;
    rows = of_item.y;
    first_key = of_item.z;
    keys = of_item.w;
    part = item * params.prefix_rows;
  } else {
    sequence = own / params.own_chunks;
    first_key = own % params.own_chunks * ${keysAtOnce}u;
    if (first_key >= written) { return; }
    keys = min(${keysAtOnce}u, written - first_key);
    first_key += sequence * params.capacity;
    part = params.prefix_items * params.prefix_rows + own * params.own_rows;
  }
  let rows_of = ${units.subgroup} / 4u * 16u;
  let share = ${units.subgroup} % 4u;
  let works = rows_of < rows;
  let key_pitch = params.key_value_heads * ${vectors}u;
  let key_at = first_key * key_pitch + head * ${vectors}u;
  let query_at = (head * params.query_sequences + sequence) * params.ratio * ${vectors}u;
  let part_at = head * params.part_rows + part;
  ${chunks.map(i => `var key${i}: vec4u; var value${i}: vec4u;`).join(' ')}
  if (shared_keys) {
    ${fetch('prefix', 'params.prefix_values')}
  } else {
    ${fetch('cache', 'params.cache_values')}
  }
  ${chunks.map(i => `let query${i} = queries[query_at + min(${row(i)}, rows - 1u) * ${vectors}u + ${vector(i)}];`).join('\n  ')}
  ${put('keys_tile', 'key')}
  ${put('rows_tile', 'query')}
  workgroupBarrier();
  var points: Sums;
  if (works) {
    ${unroll(depth, d => `{ let query = ${units.left(`rows_of * ${pitch}u + ${d * 2}u`, `${pitch}u`)}; let key = ${units.right(`share * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`)}; points = ${units.multiply('query', 'key', 'points')}; }`).join('\n    ')}
  }
  workgroupBarrier();
  ${put('keys_tile', 'value')}
  if (works) { ${units.store('rows_tile', `rows_of * ${scorePitch}u + share * 4u`, scorePitch, 'points')}; }
  workgroupBarrier();
  // Eight lanes a row, each of them eight keys.
  let row = lane / 8u;
  let eighth = lane % 8u * 2u;
  let at = vec4u(eighth * 4u) + vec4u(0u, 1u, 2u, 3u);
  let low = select(vec4f(-3.0e38), bitcast<vec4f>(rows_tile[row * ${scorePitch}u + eighth]) * params.scale, at < vec4u(keys));
  let high = select(vec4f(-3.0e38), bitcast<vec4f>(rows_tile[row * ${scorePitch}u + eighth + 1u]) * params.scale, at + 4u < vec4u(keys));
  let both = max(low, high);
  lane_values[lane] = max(max(both.x, both.y), max(both.z, both.w));
  workgroupBarrier();
  var top = lane_values[row * 8u];
  for (var i = 1u; i < 8u; i++) { top = max(top, lane_values[row * 8u + i]); }
  let a = select(vec4f(), exp(max(low - top, vec4f(-87.0))), at < vec4u(keys));
  let b = select(vec4f(), exp(max(high - top, vec4f(-87.0))), at + 4u < vec4u(keys));
  rows_tile[row * ${sharePitch}u + lane % 8u] = vec4u(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
  workgroupBarrier();
  lane_values[lane] = dot(a + b, vec4f(1.0));
  if (works) {
    ${unroll(4, k => `let weight${k} = ${units.left(`rows_of * ${sharePitch}u + ${k * 2}u`, `${sharePitch}u`, 1)};`).join('\n    ')}
    ${columnBlocks
      .map(
        i => `var made${i}: Sums;
    ${unroll(4, k => `{ let value = ${units.right(`${k * 16 * pitch}u + min(share + ${i * 4}u, ${depth - 1}u) * 2u`, `${pitch}u`, 1)}; made${i} = ${units.multiply(`weight${k}`, 'value', `made${i}`, 1)}; }`).join('\n    ')}
    ${(i + 1) * 4 <= depth ? '' : `if (share + ${i * 4}u < ${depth}u) `}{ ${units.store('sums', `(part_at + rows_of) * ${headSize}u + (share + ${i * 4}u) * 16u`, headSize, `made${i}`)}; }`,
      )
      .join('\n    ')}
  }
  workgroupBarrier();
  if (lane % 8u == 0u && row < rows) {
    var mass = lane_values[lane];
    for (var i = 1u; i < 8u; i++) { mass += lane_values[lane + i]; }
    weights[part_at + row] = vec2f(top, mass);
  }
}`,
  })
}
