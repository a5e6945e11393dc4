import type t from 'tap'
import type { Device } from '../../../kernels/device/device.ts'
import { fromFloat16, toFloat16 } from '../../../kernels/device/float16.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { type Matmul, matmul, matmulReference } from '../../../kernels/matmul/matmul.ts'
import type { Operand } from '../../../kernels/matmul/operands.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { type Precision, Recording } from '../../../kernels/plan/recording.ts'
import { close, noise } from '../support.ts'

type Test = Pick<typeof t, 'ok' | 'equal'>
type Values = Float32Array<ArrayBuffer>
/** A product whose factors are made up; without layouts they are dense. */
export type Case = Omit<Matmul<Values>, 'a' | 'b' | 'out' | 'bias' | 'residual' | 'gate'> & {
  a?: Layout
  b?: Layout
  out?: Layout
  bias?: boolean
  residual?: boolean
  gate?: boolean
}
type Layout = Omit<Operand, 'tensor'>

type Types = { a?: 'f16' | 'f32'; b?: 'f16' | 'f32'; out?: 'f16' | 'f32'; gate?: 'f16' | 'f32' }

/** Which kernels to ask for, and the relative error allowed. In float16 the factors hold float16 values. */
interface Precise {
  precision: Precision
  types: Types
  bound: number
}

/** Runs all cases in one plan; what no matrix covers is NaN in the factors and must keep its value in `out`. */
export async function agree(
  t: Test,
  device: Device,
  cases: readonly Case[],
  { precision, types, bound }: Precise = { precision: 'float32', types: {}, bound: 2e-6 },
): Promise<void> {
  const recording = new Recording(device, precision)
  const made = cases.map((each, i) => prepare(device, recording, each, types, i + 1))
  await run(device, recording)
  for (const { name, out, wanted, before } of made) {
    const found = await device.read(out)
    close(t, found, wanted, bound, name)
    const spoiled = found.findIndex((value, i) => wanted[i] === before[i] && value !== before[i])
    t.equal(spoiled, -1, `${name} writes nothing else`)
  }
}

function prepare(device: Device, recording: Recording, options: Case, types: Types, seed: number) {
  const { form, rows, columns, inner } = options
  const { bias: hasBias, residual: hasResidual, gate: hasGate, ...sizes } = options
  const out = layout(options.out, columns)
  const before = rounded(noise(even(extent(options, out, rows, columns, 0) + 9), seed + 1), types.out)
  const data = {
    a: factor(options, 'a', form === 'tn' ? [inner, rows] : [rows, inner], seed + 2, recording.precision),
    b: factor(
      options,
      'b',
      form === 'nt' ? [columns, inner] : [inner, columns],
      seed + 3,
      recording.precision,
    ),
    ...(hasBias && { bias: noise(columns, seed + 4) }),
    ...(hasResidual && { residual: noise(before.length, seed + 5) }),
    ...(hasGate && { gate: rounded(noise(before.length, seed + 6), types.gate) }),
  }
  const wanted = Float64Array.from(before)
  matmulReference({ ...sizes, ...data, out: { ...out, tensor: wanted } })
  const tensor = (values: Values, type: 'f32' | 'f16' = 'f32'): Tensor =>
    device.tensor(
      'given',
      [values.length],
      type,
      type === 'f16' ? Uint16Array.from(values, toFloat16) : values,
    )
  const result = tensor(before, types.out)
  matmul(recording, {
    ...{
      ...sizes,
      a: { ...data.a, tensor: tensor(data.a.tensor, types.a) },
      b: { ...data.b, tensor: tensor(data.b.tensor, types.b) },
    },
    ...(data.bias && { bias: tensor(data.bias) }),
    ...(data.residual && { residual: tensor(data.residual) }),
    ...(data.gate && { gate: tensor(data.gate, types.gate) }),
    out: { ...out, tensor: result },
  })
  return { name: `${form} ${rows}x${columns}x${inner}`, out: result, wanted, before }
}

/** One factor of every product of the batch, as large as it must be. */
function factor(
  options: Case,
  name: 'a' | 'b',
  [rows, columns]: [number, number],
  seed: number,
  precision: Precision,
) {
  const { batch = { outer: 1, inner: 1 }, repeat = { count: 1, a: 0, b: 0 } } = options
  const at = layout(options[name], columns)
  const moved = repeat.count - 1
  const tensor = new Float32Array(even(extent(options, at, rows, columns, moved * repeat[name]))).fill(
    Number.NaN,
  )
  const values = rounded(noise(tensor.length, seed), precision === 'float16' ? 'f16' : 'f32')
  for (let outer = 0; outer < batch.outer; outer++)
    for (let head = 0; head < batch.inner; head++)
      for (let r = 0; r < repeat.count; r++)
        for (let row = 0; row < rows; row++) {
          const start = at.offset + outer * at.outer + Math.floor(head / at.innerDivisor) * at.inner
          const first = start + r * repeat[name] + row * at.rowStride
          tensor.set(values.subarray(first, first + columns), first)
        }
  return { ...at, tensor }
}

/** Buffers are written by 4 bytes at least: two float16. */
const even = (size: number): number => Math.max(2, Math.ceil(size / 2) * 2)

/** What a float16 tensor keeps of the values. */
const rounded = (values: Values, type: 'f32' | 'f16' = 'f32'): Values =>
  type === 'f16' ? values.map(value => fromFloat16(toFloat16(value))) : values

function layout(given: Layout | undefined, columns: number): Required<Layout> {
  return { offset: 0, rowStride: columns, outer: 0, inner: 0, innerDivisor: 1, ...given }
}

function extent(options: Case, at: Required<Layout>, rows: number, columns: number, moved: number): number {
  const { outer, inner } = options.batch ?? { outer: 1, inner: 1 }
  const last = at.offset + (outer - 1) * at.outer + Math.floor((inner - 1) / at.innerDivisor) * at.inner
  return last + moved + (rows - 1) * at.rowStride + columns
}

/** Runs the plan once. */
export async function run(device: Device, recording: Recording): Promise<void> {
  const compiled = await compile(device, recording, 'test')
  compiled.run()
  await device.finish()
  compiled.free()
}
