import t from 'tap'
import { flashAttention } from '../../../kernels/attention/flash.ts'
import { flashAttentionBackward } from '../../../kernels/attention/flash-backward.ts'
import { decodeStart } from '../../../kernels/decode/embed-and-norm.ts'
import { gatedProjection } from '../../../kernels/decode/projections.ts'
import { blocksOf, squaresOf } from '../../../kernels/decode/row-blocks.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { toFloat16Bits } from '../../../kernels/device/float16.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { copy } from '../../../kernels/elementwise/copy.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { noise } from '../support.ts'

// Each kind of kernel takes seconds to compile for a software adapter.
t.setTimeout(800_000)

const device = await unitsDevice()
t.teardown(() => device.close())

const filled = (shape: readonly number[], value: number, type: 'f32' | 'f16' = 'f32'): Tensor => {
  const data = new Float32Array(shape.reduce((size, extent) => size * extent, 1)).fill(value)
  return device.tensor('filled', shape, type, type === 'f16' ? toFloat16Bits(data) : data)
}

/** Runs what is recorded; the number of clamped values that it counted. */
async function clampsOf(record: (recording: Recording) => void): Promise<number> {
  const recording = new Recording(device, 'float16')
  const saturated = device.tensor('clamps', [1], 'u32')
  recording.saturated = saturated
  record(recording)
  const compiled = await compile(device, recording, 'test')
  compiled.run()
  const [clamps] = await device.readIntegers(saturated)
  compiled.free()
  device.freeTensor(saturated)
  return clamps
}

await t.test('a copy to float16 counts the numbers that it clamps, alone and four at a time', async t => {
  for (const count of [5, 8])
    for (const value of [65504, 1e5]) {
      const into = device.tensor('into', [count], 'f16')
      const clamps = await clampsOf(recording => copy(recording, { from: filled([count], value), into }))
      t.equal(clamps, value > 65504 ? (count === 5 ? 5 : 2) : 0, `${count} times ${value}`)
      t.ok((await device.read(into)).every(found => found === 65504))
    }
})

await t.test('a step of decoding counts the numbers that it clamps of its first norm', async t => {
  const columns = 16
  for (const gain of [1, 1e5]) {
    const rows = device.tensor('rows', blocksOf(1, columns), 'f16')
    const squares = device.tensor('squares', squaresOf(1, 1))
    const clamps = await clampsOf(recording =>
      decodeStart(recording, {
        ids: device.tensor('ids', [1], 'u32'),
        table: filled([2, columns], 2),
        x: device.tensor('x', [1, columns]),
        gain: filled([columns], gain),
        normed: { rows, squares, scales: squares, size: columns, epsilon: 0 },
        rows: 1,
      }),
    )
    t.equal(clamps, gain > 1 ? columns : 0)
    t.equal((await device.read(rows))[0], gain > 1 ? 65504 : 1)
  }
})

await t.test('a step of decoding counts the numbers that it clamps of gated products', async t => {
  const [inner, columns] = [16, 32]
  const squares = new Float32Array(squaresOf(1, 1).reduce((size, extent) => size * extent, 1))
  squares.fill(inner, 0, squares.length / 2).fill(1, squares.length / 2)
  for (const weight of [1, 100]) {
    const out = device.tensor('out', blocksOf(1, columns), 'f16')
    const clamps = await clampsOf(recording =>
      gatedProjection(recording, {
        x: {
          rows: filled(blocksOf(1, inner), 1, 'f16'),
          squares: device.tensor('squares', squaresOf(1, 1), 'f32', squares),
          scales: device.tensor('scales', [squaresOf(1, 1)[1]]),
          size: inner,
          epsilon: 0,
        },
        rows: 1,
        tiled: filled([2 * columns * inner], weight, 'f16'),
        out,
        columns,
        tile: { subgroups: 2, columnBlocks: 1, depth: 16, divide: 'k' },
      }),
    )
    t.equal(clamps, weight > 1 ? columns : 0)
    t.ok((await device.read(out)).every(found => Number.isFinite(found)))
  }
})

await t.test('attention counts the numbers that it clamps, and stays finite', async t => {
  const [rows, heads, headSize] = [20, 2, 16]
  const size = rows * heads * headSize
  // Loops in the place of units take a software adapter two minutes to compile for both directions.
  const backward = device.units === 'native'
  const cases = [
    { name: 'nothing', queries: 1, values: 1, slope: 1, clamps: [false, false] },
    { name: 'queries', queries: 1e5, values: 1, slope: 1, clamps: [true, true] },
    { name: 'slopes of the result', queries: 1, values: 1, slope: 1e5, clamps: [false, true] },
    { name: 'slopes of scores', queries: 1, values: 6e4, slope: 6e4, clamps: [false, true] },
    { name: 'all', queries: 1e5, values: 1e5, slope: 1e5, clamps: [true, true] },
  ]
  for (const { name, clamps, ...scales } of cases) {
    const given = (label: string, seed: number, scale: number) =>
      device.tensor(label, [rows, heads * headSize], 'f32', noise(size, seed, 2 * scale))
    const recording = new Recording(device, 'float16')
    const counters = [0, 1].map(() => device.tensor('clamps', [1], 'u32'))
    const shape = { batches: 1, rows, keyRows: rows, heads, keyValueHeads: heads, headSize, scale: 0.25 }
    const of = {
      ...{ ...shape, mask: { kind: 'none' } as const },
      queries: { tensor: given('queries', 1, scales.queries) },
      keys: { tensor: given('keys', 2, scales.queries) },
      values: { tensor: given('values', 3, scales.values) },
      out: recording.pin('out', [rows, heads * headSize], 'f16'),
      logSums: recording.pin('log sums', [1, heads, rows]),
    }
    const into = () => {
      const tensor = recording.pin('gradient', [rows, heads * headSize])
      recording.fill(tensor)
      return { tensor, accumulate: true }
    }
    const gradients = { dQueries: into(), dKeys: into(), dValues: into() }
    recording.saturated = counters[0]
    flashAttention(recording, of)
    recording.saturated = counters[1]
    if (backward)
      flashAttentionBackward(recording, { ...of, ...gradients, dOut: given('slope', 4, scales.slope) })
    const compiled = await compile(device, recording, 'test')
    compiled.run()
    for (const tensor of [of.out, ...Object.values(gradients).map(gradient => gradient.tensor)])
      t.ok((await compiled.read(tensor)).every(Number.isFinite), `${name}: ${tensor.label}`)
    const found = await Promise.all(counters.map(counter => device.readIntegers(counter)))
    t.same(
      found.map(([count]) => count > 0),
      backward ? clamps : [clamps[0], false],
      name,
    )
    compiled.free()
  }
})

/** The GPU at hand with its matrix units, or loops in their place. */
async function unitsDevice() {
  const device = await openDevice({ family: 'gpu' })
  if (device.units === 'native') return device
  device.close()
  return openDevice({ family: 'gpu', units: 'emulated' })
}
