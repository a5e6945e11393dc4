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
//   load      blocks of queries, keys and values straight from memory: no two subgroups of 16 rows need the same keys or values
//   score     S = Q Kᵀ on matrix units, into workgroup memory
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

/**
 * Sequences for which queries need room: blocks of 16 rows are read from the first row of each, and rows past the last may hold
 * anything.
 */
export const queryRoom = (sequences: number, ratio: number): number => sequences + Math.ceil(16 / ratio)

/** The kernel for `keyValueHeads` heads of `headSize`, a multiple of 16, each of which `ratio` query heads share. */
export function groupParts(target: Target, headSize: number, keyValueHeads: number, ratio: number) {
  const layout = layoutOf(headSize, keyValueHeads, rowsAtOnce(ratio))
  const units = matrixBlocks(target.units, {
    left: ['queries', 'queries', 'rows_tile', 'rows_tile'].map(array => ({ array, fast: 'k' })),
    right: [
      { array: 'prefix', fast: 'k' },
      { array: 'cache', fast: 'k' },
      { array: 'prefix', fast: 'index' },
      { array: 'cache', fast: 'index' },
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
    code: partsWgsl(units, layout, eitherOf(target)),
  })
}

/** Pairs of blocks: queries with keys, and weights with values; of the prompts first, then of the own tokens. */
const [scoring, summing] = [
  [0, 1],
  [2, 3],
] as const

/**
 * A statement for the pair that the workgroup has: blocks that matrix units hold do not depend on where they came from, blocks
 * of loops are only places.
 */
type Either = (pairs: readonly [number, number], statement: (pair: number) => string) => string

const eitherOf =
  ({ units }: Target): Either =>
  (pairs, statement) =>
    units === 'native'
      ? statement(pairs[0])
      : `if (shared_keys) { ${statement(pairs[0])} } else { ${statement(pairs[1])} }`

type Layout = ReturnType<typeof layoutOf>

function layoutOf(headSize: number, keyValueHeads: number, rows: number) {
  const depth = headSize / 16
  return {
    headSize,
    rows,
    /** Lanes of a workgroup: 8 for each row. */
    lanes: 8 * rows,
    /** Blocks of 16 numbers of a head, and those that a subgroup makes. */
    depth,
    columns: unroll(Math.ceil(depth / 4), i => i),
    /** Vectors of 8 float16 of a row of queries, and from key to key. */
    vectors: headSize / 8,
    keyPitch: (keyValueHeads * headSize) / 8,
    /** Vectors from row to row of scores and of weights in workgroup memory: one more, against bank conflicts. */
    scorePitch: keysAtOnce / 4 + 1,
    weightPitch: keysAtOnce / 8 + 1,
  }
}

const partsWgsl = (units: BlocksWgsl, layout: Layout, either: Either): string => `
var<workgroup> rows_tile: array<vec4u, ${layout.rows * layout.scorePitch}>; // scores, then weights
var<workgroup> lane_values: array<f32, ${layout.lanes}>;
var<workgroup> seen: u32;
${units.declarations}
@compute @workgroup_size(${layout.lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${placeWgsl}
  ${loadWgsl(units, layout)}
  ${scoreWgsl(units, layout, either)}
  workgroupBarrier();
  ${weighWgsl(layout)}
  workgroupBarrier();
  ${finishWgsl(units, layout, either)}
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

/** Load: the subgroup's blocks of keys, values and queries. */
function loadWgsl(units: BlocksWgsl, { vectors, keyPitch, depth, columns }: Layout): string {
  const key = (pair: number, d: number) =>
    units.right(`key_at + share * ${16 * keyPitch}u + ${d * 2}u`, `${keyPitch}u`, pair)
  const value = (pair: number, at: string, i: number, k: number) =>
    units.right(`${at} + ${16 * k * keyPitch}u + ${columnOf(depth, i)} * 2u`, `${keyPitch}u`, pair)
  const blocks = (side: 0 | 1, values: string) =>
    [
      ...unroll(depth, d => `key${d} = ${key(scoring[side], d)};`),
      ...columns.flatMap(i =>
        unroll(4, k => `value${i}_${k} = ${value(summing[side], `key_at + ${values}`, i, k)};`),
      ),
    ].join('\n    ')
  return `let rows_of = ${units.subgroup} / 4u * 16u;
  let share = ${units.subgroup} % 4u;
  let works = rows_of < rows;
  let key_at = first_key * ${keyPitch}u + head * ${vectors}u;
  let query_at = (head * params.query_sequences + sequence) * params.ratio * ${vectors}u;
  let part_at = head * params.part_rows + part;
  ${unroll(depth, d => `var key${d}: Right;`).join(' ')}
  ${columns.flatMap(i => unroll(4, k => `var value${i}_${k}: Right;`)).join(' ')}
  if (shared_keys) {
    ${blocks(0, 'params.prefix_values')}
  } else {
    ${blocks(1, 'params.cache_values')}
  }`
}

/** The 16 columns of a head that a subgroup makes as its i-th. */
const columnOf = (depth: number, i: number): string => `min(share + ${i * 4}u, ${depth - 1}u)`

/** Score: products of queries and keys, into workgroup memory. */
function scoreWgsl(units: BlocksWgsl, { vectors, depth, scorePitch }: Layout, either: Either): string {
  const multiply = (d: number) =>
    either(scoring, pair => {
      const query = units.left(`query_at + rows_of * ${vectors}u + ${d * 2}u`, `${vectors}u`, pair)
      return `{ let query = ${query}; points = ${units.multiply('query', `key${d}`, 'points', pair)}; }`
    })
  return `var points: Sums;
  if (works) {
    ${unroll(depth, multiply).join('\n    ')}
    ${units.store('rows_tile', `rows_of * ${scorePitch}u + share * 4u`, scorePitch, 'points')};
  }`
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
function finishWgsl(
  units: BlocksWgsl,
  { headSize, depth, columns, weightPitch }: Layout,
  either: Either,
): string {
  const weight = (k: number, pair: number) =>
    units.left(`rows_of * ${weightPitch}u + ${k * 2}u`, `${weightPitch}u`, pair)
  const multiply = (i: number) => (k: number) =>
    either(
      summing,
      pair =>
        `{ let weight = ${weight(k, pair)}; made${i} = ${units.multiply('weight', `value${i}_${k}`, `made${i}`, pair)}; }`,
    )
  const made = columns.map(i => {
    const place = `(part_at + rows_of) * ${headSize}u + (share + ${i * 4}u) * 16u`
    const inside = (i + 1) * 4 <= depth ? '' : `if (share + ${i * 4}u < ${depth}u) `
    return `var made${i}: Sums;
    ${unroll(4, multiply(i)).join('\n    ')}
    ${inside}{ ${units.store('sums', place, headSize, `made${i}`)}; }`
  })
  return `if (works) {
    ${made.join('\n    ')}
  }
  if (lane % 8u == 0u && row < rows) {
    var mass = lane_values[lane];
    for (var i = 1u; i < 8u; i++) { mass += lane_values[lane + i]; }
    weights[part_at + row] = vec2f(top, mass);
  }`
}
