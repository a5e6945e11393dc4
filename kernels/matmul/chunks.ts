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
}

const halves = 8

/** The part in workgroup memory: rows of vectors of 8 float16, one vector apart more, against bank conflicts. */
export function blockOfHalves({ fast, extent, depth }: Side): {
  pitch: number
  vectors: number
  wide: number
} {
  const wide = (fast === 'k' ? depth : extent) / halves
  const high = fast === 'k' ? extent : depth
  return { pitch: wide + 1, vectors: high * (wide + 1), wide }
}

/** WGSL that brings a part, each lane some chunks of 8 neighbours: into registers first, then into `tile`. */
export function chunkLoads(side: Side, first: number) {
  const { name, fast, extent, depth, lanes } = side
  const { pitch, vectors, wide } = blockOfHalves(side)
  const count = (extent * depth) / halves / lanes
  if (!Number.isInteger(count) || lanes % wide !== 0)
    throw new Error(`matmul ${name}: ${extent} × ${depth} do not divide among ${lanes} lanes`)
  const chunks = unroll(count, i => i)
  const down = lanes / wide // rows of the part that all lanes bring at once
  const lane = rowOfLane(wide, pitch, down)
  const row = (i: number) => `${lane} + ${i * down}u`
  const column = `lane % ${wide}u`
  const at = (i: number, origin: string) =>
    fast === 'k' ? `${origin} + ${row(i)}, k + ${column} * 8u` : `${origin} + ${column} * 8u, k + ${row(i)}`
  return {
    pitch,
    vectors,
    declare: chunks.map(i => `var ${name}_chunk${i}: Chunk_${name};`).join('\n  '),
    /** `whole`: where the step does not reach past `inner`. */
    fetch: (origin: string, whole = false) =>
      chunks
        .map(i => `${name}_chunk${i} = ${whole ? 'whole' : 'fetch'}_${name}(${name}_at, ${at(i, origin)});`)
        .join('\n    '),
    put: chunks
      .map(i => `tile[${first}u + (${row(i)}) * ${pitch}u + ${column}] = halves_${name}(${name}_chunk${i});`)
      .join('\n    '),
  }
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
 * the last row is arbitrary. `whole_a`: the same where nothing lies past `inner`. `halves_a(chunk)`: the same as float16. Apart, so that loads can be in flight meanwhile.
 */
export function chunkWgsl(side: Side, array: string, wholeInner: boolean, counted = false): string {
  const { name, vector, type } = side
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
fn whole_${name}(at: u32, index: u32, k: u32) -> Chunk_${name} {
  ${place(side, 'k', 'k')}
  return ${load};
}
fn fetch_${name}(at: u32, index: u32, k: u32) -> Chunk_${name} {
  ${place(side, 'min(k, (params.inner - 1u) & ~7u)', 'min(k, params.inner - 1u)')}
  let values = ${load};
  ${type === 'f16' && vector ? insideVector(side, wholeInner) : insideChunk(side, wholeInner)}
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

const isPartly = ({ fast }: Side, wholeInner: boolean): boolean => fast === 'k' && !wholeInner

const insideVector = (side: Side, wholeInner: boolean): string =>
  isPartly(side, wholeInner)
    ? `let left = vec4i(i32(params.inner) - i32(k)) - vec4i(0, 2, 4, 6);
  return values & (select(vec4u(), vec4u(0xffffu), left > vec4i(0)) | select(vec4u(), vec4u(0xffff0000u), left > vec4i(1)));`
    : 'return select(vec4u(), values, k < params.inner);'

const insideChunk = (side: Side, wholeInner: boolean): string =>
  isPartly(side, wholeInner)
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
