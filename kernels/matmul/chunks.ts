import type { FloatType } from '../device/tensor.ts'
import { withinFloat16 } from '../wgsl/float16-stores.ts'
import { unroll } from '../wgsl/text.ts'

// How `matmulUnits` brings its factors to workgroup memory: in chunks of 8 neighbours, which become one vector of 8 float16. Each
// lane first loads its chunks into registers (`fetch`), and later converts and stores them (`put`), so that loads are in flight
// while the units multiply.
//
//   memory    ├ chunk ┼ chunk ┼ …      lane l: chunk l of the part, l + lanes, …
//   tile      │ vec4u │ vec4u │ … │ pad │      rows one vector longer than they need, against bank conflicts

/** One factor's part of a step: `extent` rows (of b: columns) × `depth` k. */
export interface Side {
  name: 'a' | 'b'
  /** What lies side by side in memory: k, or rows (of b: columns). */
  fast: 'k' | 'index'
  extent: number
  depth: number
  lanes: number
  /** Loads of 8 float16 or 4 float32 at once. */
  vector: boolean
  type: FloatType
  /** The part lies inside the factor, of which there is a whole step; it starts at a whole vector. */
  isInside: boolean
  /** No step reaches past `inner`. */
  isExact: boolean
  /** `inner` is a multiple of 8. */
  wholeInner: boolean
}

const halves = 8

/** The part in workgroup memory: rows of vectors of 8 float16, one vector apart more, against bank conflicts. */
export function blockOfHalves({ fast, extent, depth }: Pick<Side, 'fast' | 'extent' | 'depth'>): {
  pitch: number
  vectors: number
  wide: number
} {
  const wide = (fast === 'k' ? depth : extent) / halves
  const high = fast === 'k' ? extent : depth
  return { pitch: wide + 1, vectors: high * (wide + 1), wide }
}

/**
 * WGSL that brings a part, each lane some chunks of 8 neighbours: into registers first (`fetch`, from `k` on), then into `tile`
 * (`put`, while `k` and `k_now` are the same).
 */
export function chunkLoads(side: Side, array: string, first: number) {
  const { name, fast, extent, depth, lanes } = side
  const { pitch, vectors, wide } = blockOfHalves(side)
  const count = (extent * depth) / halves / lanes
  if (!Number.isInteger(count) || lanes % wide !== 0)
    throw new Error(`matmul ${name}: ${extent} × ${depth} do not divide among ${lanes} lanes`)
  const down = lanes / wide // rows of the part that all lanes bring at once
  const row = (i: number) => `${rowOfLane(wide, pitch, down)} + ${i * down}u`
  const column = `lane % ${wide}u`
  const chunks = unroll(count, i => ({
    name: `${name}_chunk${i}`,
    down: i * down,
    row: row(i),
    k: fast === 'k' ? `k_now + ${column} * 8u` : `k_now + ${row(i)}`,
    to: `${first}u + (${row(i)}) * ${pitch}u + ${column}`,
  }))
  const put = (value: (chunk: Chunk) => string) =>
    chunks.map(chunk => `tile[${chunk.to}] = halves_${name}(${value(chunk)});`).join('\n    ')
  const [whole, masked] = [
    put(chunk => chunk.name),
    put(chunk => `within_${name}(${chunk.name}, ${chunk.k} >= k)`),
  ]
  const masksLater = isQuick(side) && !side.isExact
  const place = isQuick(side) ? placeOfLane(side, row(0), column) : ''
  return {
    pitch,
    vectors,
    declare: [...chunks.map(({ name: chunk }) => `var ${chunk}: Chunk_${name};`), place].join('\n  '),
    fetch: isQuick(side) ? quickFetch(side, array, chunks, column) : carefulFetch(side, chunks, column),
    put: masksLater ? `if (k_now == k) { ${whole} } else { ${masked} }` : whole,
  }
}

interface Chunk {
  name: string
  /** Its row in the part, and how far it is from the lane's first one. */
  row: string
  down: number
  /** Its first k. */
  k: string
  /** Where it goes. */
  to: string
}

/** Nothing has to be checked, and all addresses are whole vectors: most of an address is computed once. */
export const isQuick = ({ fast, vector, isInside, wholeInner }: Side): boolean =>
  vector && isInside && (fast === 'index' || wholeInner)

const vectorOf = ({ type }: Side): number => (type === 'f16' ? 8 : 4)
const originOf = ({ name }: Side): string => (name === 'a' ? 'row' : 'column')

/** WGSL: where the lane's first chunk lies in the factor, in vectors, apart from k. */
function placeOfLane(side: Side, row: string, column: string): string {
  const { name, fast } = side
  const size = vectorOf(side)
  const pitch = `(params.${name}_row / ${size}u)`
  const origin = originOf(side)
  return fast === 'k'
    ? `let ${name}_place = (${origin} + ${row}) * ${pitch};`
    : `let ${name}_place = (${origin} + ${column} * 8u) / ${size}u;`
}

/**
 * WGSL: fetches the step from `k_now` on. That is `k`, but for a step that reaches past `inner`, which goes back as far: what it
 * fetches again is masked by `within`.
 */
function quickFetch(side: Side, array: string, chunks: readonly Chunk[], column: string): string {
  const { name, fast, type } = side
  const size = vectorOf(side)
  const pitch = `(params.${name}_row / ${size}u)`
  const steps = fast === 'k' ? `(k_now + ${column} * 8u) / ${size}u` : `(k_now + ${chunks[0].row}) * ${pitch}`
  const load = (at: string) =>
    type === 'f16' ? `${array}[${at}]` : `Chunk_${name}(${array}[${at}], ${array}[${at} + 1u])`
  return `{ let start = ${name}_at / ${size}u + ${name}_place + ${steps};
    ${chunks.map(chunk => `${chunk.name} = ${load(`start + ${chunk.down}u * ${pitch}`)};`).join('\n    ')} }`
}

const carefulFetch = (side: Side, chunks: readonly Chunk[], column: string): string => {
  const { name, fast } = side
  const at = ({ row }: Chunk) =>
    fast === 'k'
      ? `${originOf(side)} + ${row}, k + ${column} * 8u`
      : `${originOf(side)} + ${column} * 8u, k + ${row}`
  return chunks.map(chunk => `${chunk.name} = fetch_${name}(${name}_at, ${at(chunk)});`).join('\n    ')
}

/**
 * WGSL: which of the rows that all lanes bring at once is the lane's. Eight lanes store 128 bytes, which is once through all banks of
 * workgroup memory: where they bring several rows, these are so far apart that no two lanes meet in a bank.
 */
function rowOfLane(wide: number, pitch: number, down: number): string {
  const rows = 8 / wide
  const apart = [1, 2, 4].find(distance => {
    const banks = unroll(rows, row => unroll(wide, column => (row * distance * pitch + column) % 8)).flat()
    return new Set(banks).size === 8
  })
  if (wide >= 8 || apart === undefined || down % (rows * apart) !== 0) return `lane / ${wide}u`
  const group = `lane / 8u / ${apart}u * ${rows * apart}u + lane / 8u % ${apart}u`
  return `(${group} + lane % 8u / ${wide}u * ${apart}u)`
}

/**
 * `fetch_a(at, index, k)`: 8 neighbours, reading nothing outside the factor; what lies past `inner` is 0, what lies past
 * the last row is arbitrary. `within_a(chunk, is_within)`: the chunk, or zeros. `halves_a(chunk)`: the same as
 * float16. These are apart, so that loads can be in flight meanwhile.
 */
export function chunkWgsl(side: Side, array: string, counted = false): string {
  const { name, vector, type, isExact } = side
  const load =
    type === 'f16' && vector
      ? `${array}[first >> 3u]`
      : vector
        ? `Chunk_${name}(${array}[first >> 2u], ${array}[min(first + 4u, last & ~3u) >> 2u])`
        : `Chunk_${name}(${[0, 4].map(i => `vec4f(${unroll(4, j => `f32(${array}[min(first + ${i + j}u, last)])`).join(', ')})`).join(', ')})`
  const declared =
    type === 'f16' && vector
      ? `alias Chunk_${name} = vec4u;`
      : `struct Chunk_${name} { low: vec4f, high: vec4f }`
  return `
${declared}
fn fetch_${name}(at: u32, index: u32, k: u32) -> Chunk_${name} {
  ${isExact ? place(side, 'k', 'k') : place(side, 'min(k, (params.inner - 1u) & ~7u)', 'min(k, params.inner - 1u)')}
  let values = ${load};
  ${isExact ? 'return values;' : type === 'f16' && vector ? insideVector(side) : insideChunk(side)}
}
fn within_${name}(chunk: Chunk_${name}, is_within: bool) -> Chunk_${name} {
  if (is_within) { return chunk; }
  return Chunk_${name}();
}
${type === 'f16' && vector ? `fn halves_${name}(chunk: vec4u) -> vec4u { return chunk; }` : halvesWgsl(name, counted)}`
}

/** The chunk's first element, and the last element of its row of memory. */
function place({ name, fast }: Side, alongK: string, acrossK: string): string {
  const extent = name === 'a' ? 'params.rows' : 'params.columns'
  return fast === 'k'
    ? `let start = at + min(index, ${extent} - 1u) * params.${name}_row;
  let first = start + ${alongK};
  let last = start + params.inner - 1u;`
    : `let start = at + ${acrossK} * params.${name}_row;
  let first = start + min(index, (${extent} - 1u) & ~7u);
  let last = start + ${extent} - 1u;`
}

const isPartly = ({ fast, wholeInner }: Side): boolean => fast === 'k' && !wholeInner

const insideVector = (side: Side): string =>
  isPartly(side)
    ? `let left = vec4i(i32(params.inner) - i32(k)) - vec4i(0, 2, 4, 6);
  return values & (select(vec4u(), vec4u(0xffffu), left > vec4i(0)) | select(vec4u(), vec4u(0xffff0000u), left > vec4i(1)));`
    : 'return select(vec4u(), values, k < params.inner);'

const insideChunk = (side: Side): string =>
  isPartly(side)
    ? `let ks = vec4u(k) + vec4u(0u, 1u, 2u, 3u);
  let low = select(vec4f(), values.low, ks < vec4u(params.inner));
  return Chunk_${side.name}(low, select(vec4f(), values.high, ks + 4u < vec4u(params.inner)));`
    : `if (k >= params.inner) { return Chunk_${side.name}(); }
  return values;`

const halvesWgsl = (name: string, counted: boolean): string => `
fn halves_${name}(chunk: Chunk_${name}) -> vec4u {
  let low = ${withinFloat16('chunk.low', 'vec4f')};
  let high = ${withinFloat16('chunk.high', 'vec4f')};
  ${counted ? 'if (any(low != chunk.low) || any(high != chunk.high)) { atomicAdd(&saturated[0], 1u); }' : ''}
  return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}`
