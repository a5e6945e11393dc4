import { each, type FloatType, withinFloat16 } from './matmul-variant.ts'

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
  /** No step reaches past `inner`, so that nothing need be checked. */
  exact?: boolean
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
  const down = lanes / wide // rows of the part that all lanes bring at once
  const chunks = each(count, i => i)
  const at = (i: number, origin: string) =>
    fast === 'k'
      ? `${origin} + lane / ${wide}u + ${i * down}u, k + lane % ${wide}u * 8u`
      : `${origin} + lane % ${wide}u * 8u, k + lane / ${wide}u + ${i * down}u`
  return {
    pitch,
    vectors,
    declare: chunks.map(i => `var ${name}_chunk${i}: Chunk_${name};`).join('\n  '),
    fetch: (origin: string) =>
      chunks.map(i => `${name}_chunk${i} = fetch_${name}(${name}_at, ${at(i, origin)});`).join('\n    '),
    put: chunks
      .map(
        i =>
          `tile[${first}u + (lane / ${wide}u + ${i * down}u) * ${pitch}u + lane % ${wide}u] = halves_${name}(${name}_chunk${i});`,
      )
      .join('\n    '),
  }
}

/**
 * `fetch_a(at, index, k)`: 8 neighbours, reading nothing outside the factor; what lies past `inner` is 0, what lies past
 * the last row is arbitrary. `halves_a(chunk)`: the same as float16. Apart, so that loads can be in flight meanwhile.
 */
export function chunkWgsl(
  { name, fast, vector, type, exact }: Side,
  array: string,
  wholeInner: boolean,
  counted = false,
): string {
  const extent = name === 'a' ? 'params.rows' : 'params.columns'
  // The chunk's first element, and the last element of its row of memory.
  const place =
    fast === 'k'
      ? `let start = at + min(index, ${extent} - 1u) * params.${name}_row;
  let first = start + ${exact ? 'k' : 'min(k, (params.inner - 1u) & ~7u)'};
  let last = start + params.inner - 1u;`
      : `let start = at + ${exact ? 'k' : 'min(k, params.inner - 1u)'} * params.${name}_row;
  let first = start + min(index, (${extent} - 1u) & ~7u);
  let last = start + ${extent} - 1u;`
  const inside = fast === 'k' && !wholeInner ? 'partly' : 'wholly'
  if (type === 'f16' && vector)
    return `
alias Chunk_${name} = vec4u;
fn fetch_${name}(at: u32, index: u32, k: u32) -> vec4u {
  ${place}
  let values = ${array}[first >> 3u];
  ${
    inside === 'wholly'
      ? `return ${exact ? 'values' : 'select(vec4u(), values, k < params.inner)'};`
      : `let left = vec4i(i32(params.inner) - i32(k)) - vec4i(0, 2, 4, 6);
  return values & (select(vec4u(), vec4u(0xffffu), left > vec4i(0)) | select(vec4u(), vec4u(0xffff0000u), left > vec4i(1)));`
  }
}
fn halves_${name}(chunk: vec4u) -> vec4u { return chunk; }`
  const load = vector
    ? `Chunk_${name}(${array}[first >> 2u], ${array}[min(first + 4u, last & ~3u) >> 2u])`
    : `Chunk_${name}(${[0, 4].map(i => `vec4f(${each(4, j => `f32(${array}[min(first + ${i + j}u, last)])`).join(', ')})`).join(', ')})`
  return `
struct Chunk_${name} { low: vec4f, high: vec4f }
fn fetch_${name}(at: u32, index: u32, k: u32) -> Chunk_${name} {
  ${place}
  let values = ${load};
  ${
    inside === 'wholly'
      ? `${exact ? '' : `if (k >= params.inner) { return Chunk_${name}(); }\n  `}return values;`
      : `let ks = vec4u(k) + vec4u(0u, 1u, 2u, 3u);
  let low = select(vec4f(), values.low, ks < vec4u(params.inner));
  return Chunk_${name}(low, select(vec4f(), values.high, ks + 4u < vec4u(params.inner)));`
  }
}
fn halves_${name}(chunk: Chunk_${name}) -> vec4u {
  let low = ${withinFloat16('chunk.low', 'vec4f')};
  let high = ${withinFloat16('chunk.high', 'vec4f')};
  ${counted ? 'if (any(low != chunk.low) || any(high != chunk.high)) { atomicAdd(&saturated[0], 1u); }' : ''}
  return vec4u(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
}`
}
