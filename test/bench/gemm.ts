import type { Device } from '../../kernels/device/device.ts'
import { fromFloat16, toFloat16 } from '../../kernels/device/float16.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { type Matmul, matmul } from '../../kernels/matmul/matmul.ts'
import {
  lowTiles,
  ntTiles,
  overTiles,
  skinnyTiles,
  triedTiles,
  unitTiles,
} from '../../kernels/matmul/table.ts'
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
  /** Type of a, where products are in float16: gradients and sums of the residual stream are float32. */
  a?: 'f32'
}

/** Rows of a prompt of 600 tokens with 8 completions of 355. */
const updateRows = 3440

/** What a model of the released size multiplies: training, images, a prompt, and steps of 8 and 64 sequences. */
const shapes: readonly Shape[] = [
  { name: 'bar', form: 'nt', rows: 8192, columns: 11008, inner: 2048 },
  { name: 'bar backward', form: 'nn', rows: 8192, columns: 2048, inner: 11008 },
  { name: 'bar weights', form: 'tn', rows: 11008, columns: 2048, inner: 8192 },
  { name: 'update out', form: 'nt', rows: updateRows, columns: 2048, inner: 2048 },
  { name: 'update up', form: 'nt', rows: updateRows, columns: 11008, inner: 2048 },
  { name: 'update down', form: 'nt', rows: updateRows, columns: 2048, inner: 11008 },
  { name: 'update d up', form: 'nn', rows: updateRows, columns: 2048, inner: 11008 },
  { name: 'update d down', form: 'nn', rows: updateRows, columns: 11008, inner: 2048, a: 'f32' },
  { name: 'update w up', form: 'tn', rows: 11008, columns: 2048, inner: updateRows },
  { name: 'update w down', form: 'tn', rows: 2048, columns: 11008, inner: updateRows, a: 'f32' },
  { name: 'adapter low', form: 'nt', rows: updateRows, columns: 16, inner: 11008 },
  { name: 'adapter d low', form: 'nn', rows: updateRows, columns: 16, inner: 11008 },
  { name: 'adapter w up', form: 'tn', rows: 11008, columns: 16, inner: updateRows, a: 'f32' },
  { name: 'adapter w down', form: 'tn', rows: 16, columns: 11008, inner: updateRows, a: 'f32' },
  { name: 'vision', form: 'nt', rows: 11664, columns: 1152, inner: 1152 },
  { name: 'vision qkv', form: 'nt', rows: 11664, columns: 3456, inner: 1152 },
  { name: 'vision up', form: 'nt', rows: 11664, columns: 4304, inner: 1152 },
  { name: 'vision down', form: 'nt', rows: 11664, columns: 1152, inner: 4304 },
  { name: 'prefill', form: 'nt', rows: 700, columns: 2048, inner: 2048 },
  { name: 'prefill up', form: 'nt', rows: 700, columns: 11008, inner: 2048 },
  { name: 'prefill down', form: 'nt', rows: 700, columns: 2048, inner: 11008 },
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
const roundedValues = Float32Array.from(halves, fromFloat16)

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
    if (all) cuts.push(...cutsFor(shape))
    yield* products(device, shape, cuts, rounds)
  }
}

function cutsFor({ form, rows, columns }: Shape): Cut[] {
  if (Math.min(rows, columns) <= 16) return [unitTiles.small, ...Object.values(skinnyTiles)]
  const few = form === 'nt' && rows <= 64 ? fewCuts : []
  const ofNt = form === 'nt' ? [...Object.values(ntTiles), lowTiles.tall] : []
  return [...few, ...Object.values(unitTiles), ...Object.values(overTiles), ...ofNt, ...triedTiles]
}

/** The same product by each of the cuts. */
async function* products(
  device: Device,
  shape: Shape,
  cuts: readonly (Cut | undefined)[],
  rounds: number,
): AsyncGenerator<Measurement> {
  const { name, form, rows, columns, inner } = shape
  const precision: Precision = device.units === 'none' ? 'float32' : 'float16'
  // Weights of several layers in turn, so that the cache does not hold what a model would fetch from memory.
  const copies = rows <= 64 && form === 'nt' ? Math.max(1, Math.ceil(2e8 / (columns * inner * 2))) : 1
  const type = precision === 'float16' ? 'f16' : 'f32'
  const given = (label: string, height: number, width: number, of: 'f16' | 'f32') => {
    const tensor = device.tensor(label, [height, width], of)
    const data = of === 'f16' ? halves : type === 'f16' ? roundedValues : values
    for (let at = 0; at < height * width; at += data.length)
      device.write(tensor, data.subarray(0, Math.min(data.length, height * width - at)), at)
    return tensor
  }
  const typeOfA = shape.a ?? type
  const a = form === 'tn' ? given('a', inner, rows, typeOfA) : given('a', rows, inner, typeOfA)
  const weights = Array.from({ length: copies }, () =>
    form === 'nt' ? given('b', columns, inner, type) : given('b', inner, columns, type),
  )
  const out = device.tensor('out', [rows, columns])
  const flops = 2 * rows * columns * inner
  const bytes = 2 * columns * inner
  // Bursts of tens of milliseconds, since an idle GPU needs that long to reach its clock.
  const estimate = Math.max(flops / 2e14, bytes / 3e12, 4e-6) * copies
  const repeats = Math.max(1, Math.round((device.units === 'none' ? 0.001 : 0.03) / estimate))
  const each = repeats * copies
  try {
    for (const cut of cuts) {
      const recording = new Recording(device, precision)
      for (let i = 0; i < repeats; i++)
        for (const b of weights)
          matmul(recording, { form, rows, columns, inner, a, b, out, ...(cut && { tile: cut }) })
      const label = `${name} ${form} ${rows}x${columns}x${inner}${cut ? ` ${cutName(cut)}` : ''}`
      const compiled = await compile(device, recording, 'bench')
      const seconds = await measure(rounds, async () => {
        compiled.run()
        await device.finish()
      })
      compiled.free()
      await expectRight(device, label, shape, out, precision)
      yield { name: label, seconds: seconds.map(s => s / each), flops, bytes }
    }
  } finally {
    for (const tensor of [a, out, ...weights]) device.freeTensor(tensor)
  }
}

/** Throws unless some results of some rows, the first and last of each, are what they should be: a wrong product is not worth timing. */
async function expectRight(
  device: Device,
  label: string,
  { form, rows, columns, inner }: Shape,
  out: Required<Tensor>,
  precision: Precision,
) {
  const at = (i: number) =>
    precision === 'float16' ? fromFloat16(halves[i % halves.length]) : values[i % values.length]
  // A row can be read where its bytes begin at a multiple of 256.
  const step = Math.max(1, 64 / columns)
  const last = Math.floor((rows - 1) / step) * step
  for (const row of [0, Math.floor(last / 2 / step) * step, last]) {
    const offsetBytes = row * columns * 4
    const found = await device.read({ ...out, shape: [columns], storage: { ...out.storage, offsetBytes } })
    for (const column of [0, 1, columns >> 1, columns - 2, columns - 1]) {
      let [wanted, size] = [0, 0]
      for (let k = 0; k < inner; k++) {
        const a = at(form === 'tn' ? k * rows + row : row * inner + k)
        const product = a * at(form === 'nt' ? column * inner + k : k * columns + column)
        wanted += product
        size += Math.abs(product)
      }
      if (!(Math.abs(found[column] - wanted) <= 2e-4 * size))
        throw new Error(`${label}: row ${row} column ${column} must be ${wanted}, got ${found[column]}`)
    }
  }
}

const cutName = (cut: Cut): string =>
  'subgroups' in cut
    ? `few ${cut.subgroups}x${cut.columnBlocks}`
    : `${cut.rowSubgroups}x${cut.columnSubgroups} of ${cut.rowBlocks}x${cut.columnBlocks} by ${cut.depth}${cut.parts ? ` in ${cut.parts} parts` : ''}${cut.band ? ` band ${cut.band}` : ''}${cut.isOver ? ' over' : ''}`
