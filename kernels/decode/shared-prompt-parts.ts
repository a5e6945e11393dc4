import { kernel, type Target } from '../device/kernel.ts'
import { type BlocksWgsl, matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'

// First of the two kernels of `groupAttention`. The keys that a batch looks at, the prompts' and each sequence's own, are
// divided into pieces of 64. One workgroup takes a piece and a key head, and rows of queries that see it, at most 16, or 64 where
// more than 16 heads share keys:
//
//                    64 keys                              headSize
//               ┌────┬────┬────┬────┐                ┌──┬──┬──┬──┬──┐
//   16 rows of  │ s0 │ s1 │ s2 │ s3 │    16 rows of  │s0│s1│s2│s3│s0│…  Subgroups s0 to s3 share 16 rows: each scores 16
//   queries     ├────┼────┼────┼────┤    sums        ├──┼──┼──┼──┼──┤   of the keys, then makes every fourth 16 columns.
//               │ s4 │ s5 │ s6 │ s7 │                │s4│s5│s6│s7│s4│…
//
//   load      queries and keys, through registers into workgroup memory; values wait in registers
//   score     S = Q Kᵀ on matrix units
//   weigh     of each row the highest score m, the weights exp(scale · S − m) as float16, and their sum, the mass
//   multiply  weights times values on matrix units
//   finish    sums, m and mass of each row go to memory; `shared-prompt-merge.ts` puts the pieces of a sequence together
//
// This is the softmax in parts of Milakov and Gimelshein (2018), as in split-k ("flash") decoding. The reference is
// `decodeAttentionReference`. Most pieces are of one sequence's own tokens, and most of a workgroup's time is spent waiting for
// them: so workgroups are small, and many of them share a multiprocessor, though those that share a prompt's piece read it again.

/** Rows of queries that a workgroup looks at, at most, where `ratio` query heads share a key head. */
export const rowsAtOnce = (ratio: number): 16 | 64 => (ratio <= 16 ? 16 : 64)

/** Keys that a workgroup looks at. */
export const keysAtOnce = 64

const u32 = 'u32' as const
/** Params of both kernels. */
export const partSizes = {
  sequences: u32,
  key_value_heads: u32,
  ratio: u32,
  capacity: u32,
  prefix_items: u32,
  prefix_rows: u32,
  own_rows: u32,
  own_chunks: u32,
  part_rows: u32,
}

/** The kernel for heads of `headSize`, a multiple of 16, of which `ratio` share keys. */
export function groupParts(target: Target, headSize: number, ratio: number) {
  const layout = layoutOf(headSize, rowsAtOnce(ratio))
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
  return kernel({
    name: `decode_attention_parts_${headSize}_${layout.rows}`,
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
    code: partsWgsl(units, layout),
  })
}

/** Multiplies queries by keys (pair 0 of the blocks), and weights by values (pair 1). */
const [scoring, summing] = [0, 1]

type Layout = ReturnType<typeof layoutOf>

/** Sizes of what lies in workgroup memory, in vectors of 8 float16 or 4 float32; pitches go from row to row. */
function layoutOf(headSize: number, rows: number) {
  const vectors = headSize / 8
  const lanes = 8 * rows
  return {
    headSize,
    rows,
    /** Lanes of a workgroup: 8 for each row. */
    lanes,
    /** Blocks of 16 numbers of a head. */
    depth: headSize / 16,
    /** Vectors of a row, and from row to row: one more, against bank conflicts. */
    vectors,
    pitch: vectors + 1,
    scorePitch: keysAtOnce / 4 + 1,
    weightPitch: keysAtOnce / 8 + 1,
    /** Vectors of keys, and of queries, that a lane carries from memory to workgroup memory. */
    chunks: unroll(Math.ceil((keysAtOnce * vectors) / lanes), i => i),
    queryChunks: unroll(Math.ceil((rows * vectors) / lanes), i => i),
  }
}

const partsWgsl = (units: BlocksWgsl, layout: Layout): string => `
var<workgroup> rows_tile: array<vec4u, ${layout.rows * Math.max(layout.pitch, layout.scorePitch)}>; // queries, then scores, then weights
var<workgroup> keys_tile: array<vec4u, ${keysAtOnce * layout.pitch}>; // keys, then values
var<workgroup> lane_values: array<f32, ${layout.lanes}>;
var<workgroup> seen: u32;
${units.declarations}
@compute @workgroup_size(${layout.lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${placeWgsl}
  ${loadWgsl(units, layout)}
  workgroupBarrier();
  ${scoreWgsl(units, layout)}
  workgroupBarrier();
  ${weighWgsl(layout)}
  ${finishWgsl(units, layout)}
}`

/** Which keys and rows the workgroup looks at, and where its part goes; a piece without keys ends here. */
const placeWgsl = `let place = workgroup_index(id);
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
  }`

/** Load: queries and keys go to workgroup memory, values stay in registers until the scores are made. */
function loadWgsl(units: BlocksWgsl, layout: Layout): string {
  const { vectors, chunks, queryChunks } = layout
  const fetch = (array: string, values: string) =>
    chunks
      .map(
        i => `let at${i} = key_at + min(${rowOf(layout, i)}, ${keysAtOnce - 1}u) * key_pitch + ${vectorOf(layout, i)};
    key${i} = ${array}[at${i}]; value${i} = ${array}[at${i} + ${values}];`,
      )
      .join('\n    ')
  const query = (i: number) =>
    `let query${i} = queries[query_at + min(${rowOf(layout, i)}, rows - 1u) * ${vectors}u + ${vectorOf(layout, i)}];`
  return `let rows_of = ${units.subgroup} / 4u * 16u;
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
  ${queryChunks.map(query).join('\n  ')}
  ${putWgsl(layout, 'keys_tile', 'key', keysAtOnce)}
  ${putWgsl(layout, 'rows_tile', 'query', layout.rows)}`
}

const rowOf = ({ vectors, lanes }: Layout, i: number): string => `(lane + ${i * lanes}u) / ${vectors}u`
const vectorOf = ({ vectors, lanes }: Layout, i: number): string => `(lane + ${i * lanes}u) % ${vectors}u`

/** Puts the lane's registers `name0` and so on into `rows` rows of an array of workgroup memory. */
function putWgsl(layout: Layout, array: string, name: string, rows: number): string {
  const { vectors, pitch, lanes } = layout
  const all = rows * vectors
  const put = (i: number) =>
    `${array}[${rowOf(layout, i)} * ${pitch}u + ${vectorOf(layout, i)}] = ${name}${i};`
  return unroll(Math.ceil(all / lanes), i => i)
    .map(i => (all % lanes === 0 ? put(i) : `if (lane + ${i * lanes}u < ${all}u) { ${put(i)} }`))
    .join('\n  ')
}

/** Score: products of queries and keys; then values take the place of the keys, and scores that of the queries. */
function scoreWgsl(units: BlocksWgsl, layout: Layout): string {
  const { depth, pitch, scorePitch } = layout
  const multiply = (d: number) => {
    const query = units.left(`rows_of * ${pitch}u + ${d * 2}u`, `${pitch}u`, scoring)
    const key = units.right(`share * ${16 * pitch}u + ${d * 2}u`, `${pitch}u`, scoring)
    const sum = units.multiply('query', 'key', 'points', scoring)
    return `{ let query = ${query}; let key = ${key}; points = ${sum}; }`
  }
  const place = `rows_of * ${scorePitch}u + share * 4u`
  return `var points: Sums;
  if (works) {
    ${unroll(depth, multiply).join('\n    ')}
  }
  workgroupBarrier();
  ${putWgsl(layout, 'keys_tile', 'value', keysAtOnce)}
  if (works) { ${units.store('rows_tile', place, scorePitch, 'points')}; }`
}

/** Weigh: eight lanes a row, eight keys each, find the row's highest score and put weights in place of the scores. */
const weighWgsl = ({
  scorePitch,
  weightPitch,
}: Layout): string => `// Eight lanes a row, each of them eight keys.
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
  rows_tile[row * ${weightPitch}u + lane % 8u] = vec4u(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
  workgroupBarrier();
  lane_values[lane] = dot(a + b, vec4f(1.0));`

/** Multiply and finish: weights times values, straight to memory; then each row's highest score and mass. */
function finishWgsl(units: BlocksWgsl, { headSize, depth, pitch, weightPitch }: Layout): string {
  const weight = (k: number) =>
    `let weight${k} = ${units.left(`rows_of * ${weightPitch}u + ${k * 2}u`, `${weightPitch}u`, summing)};`
  const multiply = (i: number) => (k: number) => {
    const column = `min(share + ${i * 4}u, ${depth - 1}u) * 2u`
    const value = units.right(`${k * 16 * pitch}u + ${column}`, `${pitch}u`, summing)
    return `{ let value = ${value}; made${i} = ${units.multiply(`weight${k}`, 'value', `made${i}`, summing)}; }`
  }
  const columns = (i: number) => {
    const place = `(part_at + rows_of) * ${headSize}u + (share + ${i * 4}u) * 16u`
    const inside = (i + 1) * 4 <= depth ? '' : `if (share + ${i * 4}u < ${depth}u) `
    return `var made${i}: Sums;
    ${unroll(4, multiply(i)).join('\n    ')}
    ${inside}{ ${units.store('sums', place, headSize, `made${i}`)}; }`
  }
  return `if (works) {
    ${unroll(4, weight).join('\n    ')}
    ${unroll(Math.ceil(depth / 4), columns).join('\n    ')}
  }
  workgroupBarrier();
  if (lane % 8u == 0u && row < rows) {
    var mass = lane_values[lane];
    for (var i = 1u; i < 8u; i++) { mass += lane_values[lane + i]; }
    weights[part_at + row] = vec2f(top, mass);
  }`
}
