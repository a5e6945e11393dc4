import { kernel, type Target, targetKey } from '../device/kernel.ts'
import type { FloatType, Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { type IntegerMatrix, integersWgsl, rowWords } from '../weights/integers.ts'
import type { ActivationName } from '../wgsl/activation-functions.ts'
import { unroll } from '../wgsl/text.ts'
import { floatType, located, type Operand } from './operands.ts'
import { type Ends, enablesOf, finishWgsl } from './variant.ts'

// Products of few rows with a matrix of integers (kernels/weights/integers.ts): out = a · weightᵀ. Time is that of reading the
// weights, so they are read as integers, once for up to 8 rows of a, and become floats in registers.
//
//   GPUs                                              software adapters
//   columns of out: 2 or 4 rows of the weight         a lane has columns of its own, and reads their weights
//   ├ l0 ┼ l1 ┼ l2 ┼ … ┼ l63 ┼ l0 ┼ …                 from one end to the other: it needs no neighbours
//   k →   a lane has a vector of words, 32 numbers     l0 │ ───────────────→
//   of 4 bits, of each; the lanes' sums meet in        l1 │ ───────────────→  k
//   workgroup memory                                   l2 │ ───────────────→
//
// Products of more rows read a float copy of the matrix (dequantise.ts), whose cost they share. The reference is
// `matmulReference` on the elements of `dequantiseReference`.

export interface IntegerProduct {
  rows: number
  /** (rows, inner), f32 or f16; rows without gaps. */
  a: Operand | Tensor
  /** (columns, inner) */
  weight: IntegerMatrix
  /** (rows, columns) */
  out: Operand | Tensor
  /** (columns) */
  bias?: Tensor
  /** Laid out as `out`. */
  residual?: Tensor
  activation?: ActivationName
  /** Multiplies the result by silu(gate), laid out as `out`. */
  gate?: Tensor
}

/** Most rows of a product that reads integers; with more, a float copy of the matrix takes less time. */
export const mostIntegerRows = ({ family }: Target): number => (family === 'cpu' ? 8 : 16)

/** Records the product, in float32 whatever the precision. Sums depend on k alone, not on the other rows. */
export function integerProduct(recording: Recording, of: IntegerProduct): void {
  const { rows, weight, bias, residual, activation, gate } = of
  const [columns, inner] = weight.shape
  const [a, out] = [located(of.a), located(of.out)]
  if (a.rowStride !== inner || out.rowStride !== columns || a.offset % 4 !== 0)
    throw new Error(`integer product: rows must have no gaps, got ${a.tensor.label}, ${out.tensor.label}`)
  const words = rowWords(inner, weight)
  const { bits, groupSize } = weight
  const [rowVector, groupVector] = [words.integers, (groupSize * bits) / 32]
  const shape: Shape = {
    ...tileOf(recording.target, rows),
    bits,
    groupWords: groupVector,
    vector: rowVector % 4 === 0 && groupVector % 4 === 0 ? 4 : 1,
    a: floatType(a.tensor),
  }
  const ends: Ends = {
    types: { out: floatType(out.tensor) },
    bias: bias !== undefined,
    residual: residual !== undefined,
    counted: recording.saturated !== undefined && out.tensor.type === 'f16',
    ...(activation && { activation }),
    ...(gate && { gate: floatType(gate) }),
  }
  const columnTiles = Math.ceil(columns / shape.tileColumns)
  const key = ['integer product', targetKey(recording.target), JSON.stringify([shape, ends])]
  recording.dispatch(
    kernel<string, string>(key, () => define(shape, ends)),
    {
      params: {
        rows,
        columns,
        words: words.integers,
        groups: words.groups,
        column_tiles: columnTiles,
        scale: 1,
        accumulate: 0,
        a_offset: a.offset,
        a_row: inner,
        out_offset: out.offset,
      },
      buffers: {
        a: a.tensor,
        integers: weight.integers,
        groups: weight.groups,
        ...(bias && { bias }),
        ...(residual && { residual }),
        ...(gate && { gate }),
        out: out.tensor,
        ...(ends.counted && recording.saturated && { saturated: recording.saturated }),
      },
      grid: columnTiles * Math.ceil(rows / shape.tileRows),
    },
  )
}

/** What the WGSL depends on, besides the ends of the product. */
interface Shape {
  lanes: number
  /** Whether the lanes divide k; else each has columns of its own. */
  dividesK: boolean
  tileRows: number
  tileColumns: number
  bits: 4 | 8
  /** Words of a group. */
  groupWords: number
  /** Words that a lane reads at once. */
  vector: 1 | 4
  a: FloatType
}

const lanesOfGpu = 64

function tileOf({ family, subgroupSize }: Target, rows: number) {
  const tileRows = rows === 1 ? 1 : rows <= 4 ? 4 : 8
  if (family === 'cpu')
    return { lanes: subgroupSize, dividesK: false, tileRows, tileColumns: subgroupSize * 2 }
  return { lanes: lanesOfGpu, dividesK: true, tileRows, tileColumns: rows === 1 ? 2 : 4 }
}

function define(shape: Shape, ends: Ends) {
  const { bits, vector, tileRows, tileColumns } = shape
  const words = vector === 4 ? 'vec4u' : 'u32'
  const f32 = { element: 'f32', access: 'read' } as const
  return {
    name: `integer_product_${bits}_${tileRows}x${tileColumns}x${vector}`,
    enables: enablesOf({ ...ends, types: { ...ends.types, a: shape.a } }),
    params: {
      rows: 'u32',
      columns: 'u32',
      words: 'u32',
      groups: 'u32',
      column_tiles: 'u32',
      scale: 'f32',
      accumulate: 'u32',
      a_offset: 'u32',
      a_row: 'u32',
      out_offset: 'u32',
    } as const,
    buffers: {
      a: { element: `vec4<${shape.a}>`, access: 'read' } as const, // (rows, inner)
      integers: { element: words, access: 'read' } as const, // (columns, words)
      groups: { element: 'u32', access: 'read' } as const, // (columns, groups)
      ...(ends.bias && { bias: f32 }),
      ...(ends.residual && { residual: f32 }),
      ...(ends.gate && { gate: { element: ends.gate, access: 'read' } as const }),
      out: { element: ends.types.out, access: 'write' } as const, // (rows, columns)
      ...(ends.counted && { saturated: { element: 'atomic<u32>', access: 'write' } as const }),
    },
    code: productWgsl(shape, ends),
  }
}

function productWgsl(shape: Shape, ends: Ends): string {
  const { lanes, dividesK, tileRows, tileColumns, bits, groupWords, vector } = shape
  const columns = unroll(dividesK ? tileColumns : tileColumns / lanes, c => c)
  const rows = unroll(tileRows, r => r)
  const numbers = 32 / bits
  const sums = rows.flatMap(r => columns.map(c => `sum${r}_${c}`))
  const word = (c: number, w: number) => (vector === 4 ? `word${c}[${w}]` : `word${c}`)
  const multiply = unroll(vector * (numbers / 4), step => {
    const [w, part] = [Math.floor(step / (numbers / 4)), step % (numbers / 4)]
    return `{
      ${columns.map(c => `let weight${c} = (integers_of(${word(c, w)}, ${part * 4}u) - zero${c}) * scale${c};`).join('\n      ')}
      ${rows.map(r => `{ let left = vec4f(a[a${r} + k + ${step}u]); ${columns.map(c => `sum${r}_${c} += dot(left, weight${c});`).join(' ')} }`).join('\n      ')}
    }`
  })
  return `${integersWgsl(shape)}${finishWgsl(ends)}
${dividesK ? meetingWgsl(tileRows * tileColumns, lanes) : ''}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = workgroup_index(id);
  let row = index / params.column_tiles * ${tileRows}u;
  if (row >= params.rows) { return; }
  let column = index % params.column_tiles * ${tileColumns}u${dividesK ? '' : ' + lane'};
  ${columns.map(c => `let column${c} = min(column + ${c * (dividesK ? 1 : lanes)}u, params.columns - 1u);`).join('\n  ')}
  ${rows.map(r => `let a${r} = (params.a_offset + min(row + ${r}u, params.rows - 1u) * params.a_row) / 4u;`).join('\n  ')}
  ${sums.map(name => `var ${name} = 0.0;`).join(' ')}
  for (var w = ${dividesK ? `lane * ${vector}u` : '0u'}; w < params.words; w += ${dividesK ? lanes * vector : vector}u) {
    let k = w * ${numbers / 4}u;
    ${columns
      .map(
        c => `let word${c} = integers[(column${c} * params.words + w)${vector === 4 ? ' / 4u' : ''}];
    let group${c} = groups[column${c} * params.groups + w / ${groupWords}u];
    let scale${c} = scale_of(group${c});
    let zero${c} = zero_of(group${c});`,
      )
      .join('\n    ')}
    ${multiply.join('\n    ')}
  }
  ${dividesK ? endOfGroup(sums, tileColumns) : endOfLane(rows, columns, lanes)}
}`
}

/** The end of a lane that has whole sums. */
const endOfLane = (rows: readonly number[], columns: readonly number[], lanes: number): string =>
  columns
    .map(
      c => `if (column + ${c * lanes}u < params.columns) {
    ${rows.map(r => `if (row + ${r}u < params.rows) { finish(params.out_offset + (row + ${r}u) * params.columns + column${c}, column${c}, sum${r}_${c}); }`).join('\n    ')}
  }`,
    )
    .join('\n  ')

/** WGSL: `met(result, lane)`, the sum of a result over the lanes, in two turns: results are at most as many as lanes. */
const meetingWgsl = (results: number, lanes: number): string => `
var<workgroup> parts: array<f32, ${results * (lanes + 1)}>;
var<workgroup> halves: array<f32, ${lanes}>;
fn meet(lane: u32) -> f32 {
  workgroupBarrier();
  let result = lane % ${results}u;
  var half = 0.0;
  for (var i = 0u; i < ${results}u; i++) { half += parts[result * ${lanes + 1}u + lane / ${results}u * ${results}u + i]; }
  halves[lane] = half;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < ${lanes / results}u; i++) { sum += halves[result + i * ${results}u]; }
  return sum;
}`

/** The end of a workgroup whose lanes have parts of sums. */
const endOfGroup = (sums: readonly string[], tileColumns: number): string => `
  ${sums.map((name, i) => `parts[${i * (lanesOfGpu + 1)}u + lane] = ${name};`).join('\n  ')}
  let sum = meet(lane);
  let own_row = row + lane / ${tileColumns}u;
  let own_column = column + lane % ${tileColumns}u;
  if (lane < ${sums.length}u && own_row < params.rows && own_column < params.columns) {
    finish(params.out_offset + own_row * params.columns + own_column, own_column, sum);
  }`
