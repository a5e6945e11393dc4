import type { BufferSpec, Kernel } from '../device/kernel.ts'
import type { FloatType } from '../device/tensor.ts'
import { type ActivationName, activatedWgsl } from '../wgsl/activation-functions.ts'
import { withinFloat16 } from '../wgsl/float16-stores.ts'

// What the kernels of products share: the variant that decides their WGSL, their params and bindings, and the WGSL that finds a
// workgroup's tile, loads numbers, and ends a product.

/** How a product ends. */
export interface Ends {
  bias: boolean
  residual: boolean
  activation?: ActivationName
  gate?: FloatType
  /** Elements of a, and of out, that are clamped to float16's range are counted in `saturated`, where products are in float16. */
  counted: boolean
  types: { out: FloatType }
}

/** What changes a product's WGSL; everything else is a param. */
export interface Variant extends Ends {
  form: 'nt' | 'nn' | 'tn'
  rows: number
  inner: number
  /** b is the tensor bound as a. */
  oneTensor: boolean
  /** Strides and offsets are multiples of 4: four neighbours are one load. */
  aVector: boolean
  bVector: boolean
  /** Whether `runs` say which part of the product there is. */
  inRuns?: boolean
  /** `inner` is a multiple of 8. */
  wholeInner: boolean
  /**
   * On matrix units: every tile lies inside the result, if those at its end are moved back, and starts at a whole vector; inner is
   * at least a whole step.
   */
  isInside?: boolean
  /** As `aVector`, for out, residual and gate; the number of columns too is a multiple of 4. */
  outVector: boolean
  types: { a: FloatType; b: FloatType; out: FloatType }
  /** Params that are the same for every product of this shape of weights, by name. */
  fixed: Readonly<Record<string, number>>
}

/** A kernel and the part of `out` that one of its workgroups makes. */
export interface Tiling {
  kernel: Kernel
  tileRows: number
  tileColumns: number
}

/** Products of this many k are summed apart, which keeps the error of long sums small. */
export const blockOfInner = 256

const u32 = 'u32' as const
const f32 = 'f32' as const

export const params = {
  rows: u32,
  columns: u32,
  inner: u32,
  scale: f32,
  accumulate: u32,
  row_tiles: u32,
  column_tiles: u32,
  batches: u32,
  batch_inner: u32,
  a_offset: u32,
  a_row: u32,
  a_outer: u32,
  a_inner: u32,
  a_divisor: u32,
  b_offset: u32,
  b_row: u32,
  b_outer: u32,
  b_inner: u32,
  b_divisor: u32,
  out_offset: u32,
  out_row: u32,
  out_outer: u32,
  out_inner: u32,
  repeats: u32,
  a_repeat: u32,
  b_repeat: u32,
}

export function buffers({
  oneTensor,
  aVector,
  bVector,
  bias,
  residual,
  gate,
  inRuns,
  counted,
  types,
}: Variant) {
  const element = (type: FloatType, vector: boolean) => (vector ? `vec4<${type}>` : type)
  const spec: Record<string, BufferSpec> = { a: { element: element(types.a, aVector), access: 'read' } }
  if (!oneTensor) spec.b = { element: element(types.b, bVector), access: 'read' }
  if (bias) spec.bias = { element: 'f32', access: 'read' } // (columns)
  if (residual) spec.residual = { element: 'f32', access: 'read' } // as out
  if (gate) spec.gate = { element: gate, access: 'read' } // as out
  if (inRuns) spec.runs = { element: 'u32', access: 'read' } // (tiles of 16 rows, 4)
  spec.out = { element: types.out, access: 'write' }
  if (counted) spec.saturated = { element: 'atomic<u32>', access: 'write' } // (1)
  return spec
}

/** WGSL directives that the types need. */
export const enablesOf = ({
  types,
  gate,
}: Pick<Ends, 'gate'> & { types: Record<string, FloatType> }): string =>
  [...Object.values(types), gate].includes('f16') ? 'enable f16;\n' : ''

/** A name for pipelines in errors and captures. */
export const nameOf = (kind: string, { form, aVector, bVector, types }: Variant): string =>
  `matmul_${kind}_${form}_${types.a}${aVector ? 'x4' : ''}_${types.b}${bVector ? 'x4' : ''}`

/**
 * `a1(at)`, `b1(at)`: one element. `a4(at)`, `b4(at)`: four neighbours; where loads are vectors, `at` is a multiple
 * of 4. `a4_until(at, last)`, `b4_until`: the same near a row's end, reading nothing outside; what is past `last` is
 * arbitrary. And `finish`.
 */
export const access = (variant: Variant): string => `
${loads('a', 'a', variant.aVector)}
${loads('b', variant.oneTensor ? 'a' : 'b', variant.bVector)}
${finishWgsl(variant)}`

/** `finish(at, column, sum)` writes an element of out. */
export const finishWgsl = (variant: Ends): string => `${activationWgsl(variant, 'f32')}
fn finish(at: u32, column: u32, sum: f32) {
  var value = sum * params.scale;
  ${variant.bias ? 'value += bias[column];' : ''}
  ${variant.residual ? 'value += residual[at];' : ''}
  if (params.accumulate != 0u) { value += f32(out[at]); }
  ${variant.activation ? 'value = activated(value);' : ''}
  ${variant.gate ? 'value *= activated(f32(gate[at]));' : ''}
  ${variant.types.out === 'f16' ? keptWgsl(variant, 'f32') : 'let kept = value;'}
  out[at] = ${variant.types.out}(kept);
}
`

/** WGSL: `activated`, where the product ends in a function of it or of a gate. */
export const activationWgsl = (
  { activation, gate }: Pick<Ends, 'activation' | 'gate'>,
  type: 'f32' | 'vec4f',
): string => {
  const name = gate ? 'silu' : activation
  return name ? activatedWgsl(name, type) : ''
}

/** WGSL: `kept`, the `value` within float16's range; counts what was beyond it. */
export const keptWgsl = ({ counted }: Pick<Ends, 'counted'>, type: 'f32' | 'vec4f'): string =>
  `let kept = ${withinFloat16('value', type)};
  ${counted ? 'if (any(kept != value)) { atomicAdd(&saturated[0], 1u); }' : ''}`

/**
 * Finds the workgroup's tile: its first `row` and `column`, and where its batch starts in a, b and out. Workgroups go
 * through the tiles by bands of `band` rows of tiles, so that neighbours share factors in the cache. With `isInside` a tile
 * that reaches past the end is moved back; its own part begins at `tile_row` and `tile_column`.
 */
export const locate = (rows: number, columns: number, band = 1, isInside = false): string => `
  let index = workgroup_index(id);
  let tiles = params.row_tiles * params.column_tiles;
  let batch = index / tiles;
  if (batch >= params.batches) { return; }
${
  band === 1
    ? `
  let tile_row = index % tiles / params.column_tiles * ${rows}u;
  let tile_column = index % params.column_tiles * ${columns}u;`
    : `
  let place = index % tiles;
  let first_row_tile = place / (${band}u * params.column_tiles) * ${band}u;
  let band = min(${band}u, params.row_tiles - first_row_tile);
  let tile_row = (first_row_tile + place % (${band}u * params.column_tiles) % band) * ${rows}u;
  let tile_column = place % (${band}u * params.column_tiles) / band * ${columns}u;`
}
  let row = ${isInside ? `min(tile_row, params.rows - ${rows}u)` : 'tile_row'};
  let column = ${isInside ? `min(tile_column, params.columns - ${columns}u)` : 'tile_column'};
  let outer = batch / params.batch_inner;
  let head = batch % params.batch_inner;
  let a_start = params.a_offset + outer * params.a_outer + head / params.a_divisor * params.a_inner;
  let b_start = params.b_offset + outer * params.b_outer + head / params.b_divisor * params.b_inner;
  let out_start = params.out_offset + outer * params.out_outer + head * params.out_inner;
  let rows = params.rows;
  let columns = params.columns;
  let inner = params.inner;
`

// A binding ends at a multiple of 16 bytes, so a vector whose first element exists can be loaded whole.
const loads = (name: string, array: string, vector: boolean): string =>
  vector
    ? `
fn ${name}1(at: u32) -> f32 { return f32(${array}[at >> 2u][at & 3u]); }
fn ${name}4(at: u32) -> vec4f { return vec4f(${array}[at >> 2u]); }
fn ${name}4_until(at: u32, last: u32) -> vec4f { return vec4f(${array}[at >> 2u]); }`
    : `
fn ${name}1(at: u32) -> f32 { return f32(${array}[at]); }
fn ${name}4(at: u32) -> vec4f { return vec4f(${[0, 1, 2, 3].map(i => `f32(${array}[at + ${i}u])`).join(', ')}); }
fn ${name}4_until(at: u32, last: u32) -> vec4f {
  return vec4f(${[0, 1, 2, 3].map(i => `f32(${array}[min(at + ${i}u, last)])`).join(', ')});
}`
