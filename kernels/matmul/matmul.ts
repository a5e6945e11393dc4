import { type Target, targetKey } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { type ActivationName, activations } from '../wgsl/activation-functions.ts'
import { matmulBroadcast } from './broadcast.ts'
import {
  type Aligned,
  floatType,
  isAligned,
  located,
  type Operand,
  type Placed,
  placedIn,
  start,
} from './operands.ts'
import { matmulSkinny } from './skinny.ts'
import { fewTileFor, tileFor } from './table.ts'
import { matmulTile } from './tile.ts'
import { matmulUnits } from './units.ts'
import { type FewTile, fewFits, matmulUnitsFew } from './units-few.ts'
import { liesInside, type UnitTile } from './units-layout.ts'
import type { Tiling, Variant } from './variant.ts'

// Matrix products: out = scale · op(a) op(b), with what may follow a product in a network. One entry, `matmul`, chooses among five
// kernels; each divides the result into tiles, one a workgroup, and has its own file with a picture:
//
//   adapter                                      kernel
//   software                                     broadcast.ts   lanes share loads by subgroup broadcasts
//   GPU, float32                                 tile.ts        64 × 64 results through workgroup memory
//   GPU, float32, nt of at most 32 rows          skinny.ts      bound by reading b: lanes divide k
//   GPU with matrix units, float16               units.ts       blocks of 16 × 16 × 16 on the units
//   the same, nt of at most 64 rows              units-few.ts   bound by reading b: straight into blocks
//
// variant.ts has the WGSL that they share: bindings, loads, and the end of a product (bias, residual, activation, gate). The
// reference is `matmulReference`; test/kernels/matmul compares every form, type and edge with it.

export interface Matmul<Data = Tensor> {
  /** nt: a (rows, inner), b (columns, inner); nn: a (rows, inner), b (inner, columns); tn: a (inner, rows), b (inner, columns). */
  form: 'nt' | 'nn' | 'tn'
  rows: number
  columns: number
  inner: number
  a: Operand<Data> | Data
  b: Operand<Data> | Data
  /** No two matrices of the batch may share an element here. */
  out: Operand<Data> | Data
  /** (columns) */
  bias?: Data
  /** Laid out as `out`, offset included; must be a tensor of its own. */
  residual?: Data
  scale?: number
  /** Applied to the result before it is written. */
  activation?: ActivationName
  /** Multiplies the result by silu(gate), as in a SwiGLU; not together with `activation`. Laid out as `residual`. */
  gate?: Data
  /** Adds to what `out` holds. */
  accumulate?: boolean
  batch?: { outer: number; inner: number }
  /** Sums `count` products, for each of which a and b move on by these strides (grouped-query dK, dV). */
  repeat?: { count: number; a: number; b: number }
  /**
   * On software adapters: the part of the product that is wanted, as `VisibleRuns` say it for each 16 rows of the result. `nt`:
   * columns, the others are not written; `nn` and `tn`: k, the others are not read.
   */
  runs?: Tensor | undefined
  /** The tile of kernels on matrix units, by default what the table says: for measuring and testing. */
  tile?: UnitTile | FewTile
}

/**
 * out = scale · op(a) op(b) + bias[column] + residual, with `accumulate` + out; with `activation`, that function of it;
 * with `gate`, times silu(gate).
 * An element is the sum over blocks of 256 k of fused multiply-adds in ascending k: it depends neither on the number
 * of rows nor on the batch. One exception: on GPUs an `nt` product of at most 32 rows sums in an order of its own.
 * Factors may be float16, and so may out, which then holds at most the largest float16. In a plan of precision float16
 * a device with matrix units rounds all factors to float16, and sums in an order of its own.
 *
 * Throws when an element that the product touches lies outside its tensor, when two matrices of a batch share elements of
 * `out`, when a tensor other than a and b is bound twice, when there is both an activation and a gate, and
 * when there are runs on a GPU.
 */
export function matmul(recording: Recording, options: Matmul): void {
  const { form, rows, columns, inner, bias, residual, gate } = options
  const { batch = { outer: 1, inner: 1 }, repeat = { count: 1, a: 0, b: 0 } } = options
  const batches = batch.outer * batch.inner
  if (rows * columns * batches === 0) return
  const [a, b, out] = [located(options.a), located(options.b), located(options.out)]
  expectFits(options, a, b, out)
  if (options.runs && recording.target.family !== 'cpu')
    throw new Error('matmul: runs are for software adapters only')
  const oneTensor = a.tensor === b.tensor
  const { kernel, tileRows, tileColumns } = tiling(recording, options, (aligned: Aligned): Variant => {
    const [aVector, bVector] = [isAligned(a, repeat.a, aligned), isAligned(b, repeat.b, aligned)]
    return {
      form,
      rows,
      inner,
      types: { a: floatType(a.tensor), b: floatType(b.tensor), out: floatType(out.tensor) },
      wholeInner: inner % 8 === 0,
      outVector: isAligned(out, 0, () => 4) && columns % 4 === 0,
      counted:
        inUnits(recording, inner) &&
        recording.saturated !== undefined &&
        (a.tensor.type === 'f32' || out.tensor.type === 'f16'),
      // WebGPU lets no two writable bindings overlap: a tensor that is both a and b is bound once, as one type.
      oneTensor,
      aVector: aVector && (bVector || !oneTensor),
      bVector: bVector && (aVector || !oneTensor),
      fixed: fixedSizes(options, a, b, out),
      bias: bias !== undefined,
      residual: residual !== undefined,
      ...(options.activation && { activation: options.activation }),
      ...(gate && { gate: floatType(gate) }),
      ...(options.runs && { inRuns: true }),
    }
  })
  const [rowTiles, columnTiles] = [Math.ceil(rows / tileRows), Math.ceil(columns / tileColumns)]
  recording.dispatch(kernel, {
    params: {
      rows,
      columns,
      inner,
      scale: options.scale ?? 1,
      accumulate: options.accumulate ? 1 : 0,
      row_tiles: rowTiles,
      column_tiles: columnTiles,
      batches,
      batch_inner: batch.inner,
      a_offset: a.offset,
      a_row: a.rowStride,
      a_outer: a.outer,
      a_inner: a.inner,
      b_offset: b.offset,
      b_row: b.rowStride,
      b_outer: b.outer,
      b_inner: b.inner,
      a_divisor: a.innerDivisor,
      b_divisor: b.innerDivisor,
      out_offset: out.offset,
      out_row: out.rowStride,
      out_outer: out.outer,
      out_inner: out.inner,
      repeats: repeat.count,
      a_repeat: repeat.a,
      b_repeat: repeat.b,
    },
    buffers: {
      a: a.tensor,
      ...(oneTensor ? {} : { b: b.tensor }),
      ...(bias && { bias }),
      ...(residual && { residual }),
      ...(gate && { gate }),
      ...(options.runs && { runs: options.runs }),
      out: out.tensor,
      ...(recording.saturated && { saturated: recording.saturated }),
    },
    grid: rowTiles * columnTiles * batches,
  })
}

type Values = { [index: number]: number; readonly length: number }

/** The same as plain loops over arrays, into `out`; here a row's default stride is the row's length. */
export function matmulReference(options: Matmul<Values>): void {
  const {
    form,
    rows,
    columns,
    inner,
    bias,
    residual,
    scale = 1,
    accumulate = false,
    activation,
    gate,
  } = options
  const { batch = { outer: 1, inner: 1 }, repeat = { count: 1, a: 0, b: 0 } } = options
  const a = placedIn(options.a, form === 'tn' ? rows : inner)
  const b = placedIn(options.b, form === 'nt' ? inner : columns)
  const out = placedIn(options.out, columns)
  for (let outer = 0; outer < batch.outer; outer++)
    for (let head = 0; head < batch.inner; head++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          let sum = 0
          for (let r = 0; r < repeat.count; r++)
            for (let k = 0; k < inner; k++) {
              const left =
                start(a, outer, head) + (form === 'tn' ? k * a.rowStride + row : row * a.rowStride + k)
              const right =
                start(b, outer, head) + (form === 'nt' ? column * b.rowStride + k : k * b.rowStride + column)
              sum += a.tensor[left + r * repeat.a] * b.tensor[right + r * repeat.b]
            }
          const at = start(out, outer, head) + row * out.rowStride + column
          const before = accumulate ? out.tensor[at] : 0
          const value = before + scale * sum + (bias ? bias[column] : 0) + (residual ? residual[at] : 0)
          out.tensor[at] = activation ? activations[activation].reference(value) : value
          if (gate) out.tensor[at] *= activations.silu.reference(gate[at])
        }
}

/**
 * Params that are sizes of weights, not of data: kernels are compiled for them. Rows of data are not among them, nor
 * anything of a batch, whose strides are mostly rows.
 */
function fixedSizes(
  { form, columns, inner, rows, batch, repeat, accumulate }: Matmul,
  a: Placed<Tensor>,
  b: Placed<Tensor>,
  out: Placed<Tensor>,
): Variant['fixed'] {
  if (batch || repeat) return {}
  const strides = { a_row: a.rowStride, b_row: b.rowStride, out_row: out.rowStride }
  const alone = {
    repeats: 1,
    a_repeat: 0,
    b_repeat: 0,
    batches: 1,
    batch_inner: 1,
    a_divisor: 1,
    b_divisor: 1,
  }
  const unmoved = { a_outer: 0, a_inner: 0, b_outer: 0, b_inner: 0, out_outer: 0, out_inner: 0 }
  const offsets = { a_offset: a.offset, b_offset: b.offset, out_offset: out.offset }
  const starts = Object.fromEntries(Object.entries(offsets).filter(([, offset]) => offset === 0))
  const sizes = { accumulate: accumulate ? 1 : 0, ...(form === 'tn' ? { rows } : { inner }) }
  return { ...strides, columns, ...alone, ...unmoved, ...starts, ...sizes }
}

/** The kernel for the sizes, the precision and the device. */
function tiling(recording: Recording, options: Matmul, variant: (aligned: Aligned) => Variant): Tiling {
  const { target } = recording
  const { form, rows, columns, inner } = options
  const keyOf = (kind: string, of: Variant, tile?: object) => {
    // Kernels differ by rows up to 64 and by the remainder of inner, not by the sizes themselves.
    const sizes = { rows: Math.min(rows, 65), inner: inner % 64, ...(tile ? {} : { fixed: {} }) }
    return [`matmul ${kind}`, targetKey(target), JSON.stringify([{ ...of, ...sizes }, tile])]
  }
  if (inUnits(recording, inner)) {
    const of = variant(type => (type === 'f16' ? 8 : 4))
    const few = fewTileFor(rows, columns)
    // Software adapters, where units are emulated, have too little workgroup memory for more depth.
    const halves = target.units === 'native' && of.types.a === 'f16' && of.types.b === 'f16'
    const best = few && fewFits(of, columns, few) ? few : tileFor(options, halves)
    const tile = options.tile ?? best
    if ('subgroups' in tile) return matmulUnitsFew(keyOf('units', of, tile), target, of, tile)
    const placed = { ...of, isInside: liesInside(options, tile) }
    return matmulUnits(keyOf('units', placed, tile), target, placed, tile)
  }
  const of = variant(() => 4)
  const generate = generator(target, form, rows)
  return generate(keyOf(generate.name, of), target, of)
}

const inUnits = ({ precision, target }: Recording, inner: number): boolean =>
  precision === 'float16' && target.units !== 'none' && inner > 0

function generator(target: Target, form: Matmul['form'], rows: number) {
  if (target.family === 'cpu') return matmulBroadcast
  return form === 'nt' && rows <= 32 ? matmulSkinny : matmulTile
}

/** Throws unless every element that the kernel touches lies in its tensor: kernels check no bounds but the sizes. */
function expectFits(options: Matmul, a: Placed<Tensor>, b: Placed<Tensor>, out: Placed<Tensor>): void {
  const { form, rows, columns, inner, bias, residual, gate } = options
  const { batch = { outer: 1, inner: 1 }, repeat = { count: 1, a: 0, b: 0 } } = options
  const expect = (name: string, operand: Placed<Tensor>, height: number, width: number, moved: number) => {
    if (height * width === 0) return
    const corner = (height - 1) * operand.rowStride + width - 1
    const last = start(operand, batch.outer - 1, batch.inner - 1) + corner + moved
    const { label, shape } = operand.tensor
    if (last >= sizeOf(shape))
      throw new Error(`matmul ${name}: must hold element ${last}, got ${label} (${shape.join(', ')})`)
  }
  expect('a', a, form === 'tn' ? inner : rows, form === 'tn' ? rows : inner, (repeat.count - 1) * repeat.a)
  expect(
    'b',
    b,
    form === 'nt' ? columns : inner,
    form === 'nt' ? inner : columns,
    (repeat.count - 1) * repeat.b,
  )
  expect('out', out, rows, columns, 0)
  if (bias) expect('bias', placedIn(bias, columns), 1, columns, 0)
  if (residual) expect('residual', { ...out, tensor: residual }, rows, columns, 0)
  if (gate) expect('gate', { ...out, tensor: gate }, rows, columns, 0)
  if (gate && options.activation) throw new Error('matmul: must end in an activation or a gate, not in both')
  if ((batch.outer > 1 && !out.outer) || (batch.inner > 1 && !out.inner) || out.innerDivisor !== 1)
    throw new Error('matmul out: every matrix of the batch must have a place of its own')
  const [shared] = [bias, residual, gate, out.tensor].filter(
    (tensor, i, all) => tensor && (tensor === a.tensor || tensor === b.tensor || all.indexOf(tensor) !== i),
  )
  if (shared) throw new Error(`matmul: ${shared.label} is bound twice; only a and b may be the same tensor`)
}
