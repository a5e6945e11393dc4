import type { Device } from '../../kernels/device/device.ts'
import { fromFloat16, toFloat16 } from '../../kernels/device/float16.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { type Matmul, matmul } from '../../kernels/matmul/matmul.ts'
import { ntTiles, unitTiles } from '../../kernels/matmul/table.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { type Precision, Recording } from '../../kernels/plan/recording.ts'
import { noise } from '../kernels/support.ts'
import { type BenchOptions, type Measurement, measure } from './measure.ts'

type Form = Matmul['form']
type Cut = NonNullable<Matmul['tile']>

interface Shape {
  name: string
  form: Form
  rows: number
  columns: number
  inner: number
}

/** What a model of the released size multiplies: training, images, a prompt, and steps of 8 and 64 sequences. */
const shapes: readonly Shape[] = [
  { name: 'bar', form: 'nt', rows: 8192, columns: 11008, inner: 2048 },
  { name: 'bar backward', form: 'nn', rows: 8192, columns: 2048, inner: 11008 },
  { name: 'bar weights', form: 'tn', rows: 11008, columns: 2048, inner: 8192 },
  { name: 'vision', form: 'nt', rows: 11664, columns: 1152, inner: 1152 },
  { name: 'vision qkv', form: 'nt', rows: 11664, columns: 3456, inner: 1152 },
  { name: 'vision down', form: 'nt', rows: 11664, columns: 1152, inner: 4304 },
  { name: 'prefill', form: 'nt', rows: 700, columns: 2048, inner: 2048 },
  { name: 'prefill up', form: 'nt', rows: 700, columns: 11008, inner: 2048 },
  ...[8, 64].flatMap(rows => [
    { name: `step qkv ${rows}`, form: 'nt' as const, rows, columns: 2560, inner: 2048 },
    { name: `step up ${rows}`, form: 'nt' as const, rows, columns: 11008, inner: 2048 },
    { name: `step down ${rows}`, form: 'nt' as const, rows, columns: 2048, inner: 11008 },
    { name: `step head ${rows}`, form: 'nt' as const, rows, columns: 151936, inner: 2048 },
  ]),
]

const fewCuts: readonly Cut[] = [4, 8].flatMap(subgroups =>
  [1, 2, 4].map(columnBlocks => ({ subgroups, columnBlocks })),
)

const values = noise(1 << 22)
const halves = Uint16Array.from(values, toFloat16)

/** Products in float16 with float32 sums; with `all`, every cut that fits a shape, to make kernels/matmul/table.ts from. */
export async function* gemm(
  device: Device,
  { rounds, all, only }: BenchOptions,
): AsyncGenerator<Measurement> {
  const small = device.units === 'none'
  for (const shape of small
    ? [{ name: 'small', form: 'nt' as const, rows: 256, columns: 256, inner: 256 }]
    : shapes.filter(({ name }) => name.startsWith(only))) {
    const cuts: (Cut | undefined)[] = [undefined]
    if (all) {
      if (shape.rows <= 64) cuts.push(...fewCuts)
      cuts.push(...Object.values(unitTiles), ...(shape.form === 'nt' ? Object.values(ntTiles) : []))
    }
    for (const cut of cuts) yield await product(device, shape, cut, rounds)
  }
}

async function product(
  device: Device,
  shape: Shape,
  cut: Cut | undefined,
  rounds: number,
): Promise<Measurement> {
  const { name, form, rows, columns, inner } = shape
  const precision: Precision = device.units === 'none' ? 'float32' : 'float16'
  // Weights of several layers in turn, so that the cache does not hold what a model would fetch from memory.
  const copies = rows <= 64 ? Math.max(1, Math.ceil(2e8 / (columns * inner * 2))) : 1
  const type = precision === 'float16' ? 'f16' : 'f32'
  const given = (label: string, height: number, width: number) => {
    const tensor = device.tensor(label, [height, width], type)
    const data = type === 'f16' ? halves : values
    for (let at = 0; at < height * width; at += data.length)
      device.write(tensor, data.subarray(0, Math.min(data.length, height * width - at)), at)
    return tensor
  }
  const a = form === 'tn' ? given('a', inner, rows) : given('a', rows, inner)
  const weights = Array.from({ length: copies }, () =>
    form === 'nt' ? given('b', columns, inner) : given('b', inner, columns),
  )
  const out = device.tensor('out', [rows, columns])
  const flops = 2 * rows * columns * inner
  const bytes = 2 * columns * inner
  // Bursts of tens of milliseconds, since an idle GPU needs that long to reach its clock.
  const estimate = Math.max(flops / 2e14, bytes / 3e12, 4e-6) * copies
  const repeats = Math.max(1, Math.round((device.units === 'none' ? 0.001 : 0.03) / estimate))
  const recording = new Recording(device, precision)
  for (let i = 0; i < repeats; i++)
    for (const b of weights)
      matmul(recording, { form, rows, columns, inner, a, b, out, ...(cut && { tile: cut }) })
  const label = `${name} ${form} ${rows}x${columns}x${inner}${cut ? ` ${cutName(cut)}` : ''}`
  try {
    const compiled = await compile(device, recording, 'bench')
    const seconds = await measure(rounds, async () => {
      compiled.run()
      await device.finish()
    })
    compiled.free()
    await expectRight(device, label, shape, out, precision)
    const each = repeats * copies
    return { name: label, seconds: seconds.map(s => s / each), flops, bytes }
  } finally {
    for (const tensor of [a, out, ...weights]) device.freeTensor(tensor)
  }
}

/** Throws unless the first results of the last row are what they should be: a wrong product is not worth timing. */
async function expectRight(
  device: Device,
  label: string,
  shape: Shape,
  out: Required<Tensor>,
  precision: Precision,
) {
  const { form, rows, columns, inner } = shape
  const row = rows - 1
  const offsetBytes = row * columns * 4
  if (offsetBytes % 256 !== 0) throw new Error(`${label}: columns must be a multiple of 64`)
  const part = { ...out, shape: [4], storage: { ...out.storage, offsetBytes } }
  const found = await device.read(part)
  const at = (i: number) =>
    precision === 'float16' ? fromFloat16(halves[i % halves.length]) : values[i % values.length]
  for (const [column, value] of found.entries()) {
    let wanted = 0
    for (let k = 0; k < inner; k++) {
      const a = at(form === 'tn' ? k * rows + row : row * inner + k)
      wanted += a * at(form === 'nt' ? column * inner + k : k * columns + column)
    }
    if (!(Math.abs(value - wanted) <= 1e-5 * inner))
      throw new Error(`${label}: must be ${wanted}, got ${value}`)
  }
}

const cutName = (cut: Cut): string =>
  'subgroups' in cut
    ? `few ${cut.subgroups}x${cut.columnBlocks}`
    : `${cut.rowSubgroups}x${cut.columnSubgroups} of ${cut.rowBlocks}x${cut.columnBlocks} by ${cut.depth}${cut.parts ? ` in ${cut.parts} parts` : ''}`
