import t from 'tap'
import type { Device } from '../../../kernels/device/device.ts'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import { logits, logProbabilities } from '../../../kernels/layers/head.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { type Parameter, Pass } from '../../../kernels/layers/pass.ts'
import { matmulReference } from '../../../kernels/matmul/matmul.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { integerMatrix } from '../integers.ts'
import { close, given, noise, onEachFamily } from '../support.ts'

const format = { bits: 4, groupSize: 32 } as const
const [outputs, inputs, rank] = [24, 40, 4]
const scale = 0.5

/** A frozen weight that is held as integers, and its elements. */
function frozen(device: Device, shape: readonly number[]) {
  const { matrix, elements } = integerMatrix(device, shape, format)
  const weight: Parameter = { name: 'weight', shape, value: matrix.integers, integers: matrix }
  return { weight, elements }
}

const trained = (
  device: Device,
  name: string,
  shape: readonly number[],
  data: Float32Array<ArrayBuffer>,
) => ({
  name,
  shape,
  value: given(device, shape, data),
  gradient: device.tensor(`d ${name}`, shape),
})

/** left · right in float64, in the form of `matmul`. */
function product(
  form: 'nt' | 'nn',
  rows: number,
  columns: number,
  inner: number,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
) {
  const out = new Float64Array(rows * columns)
  matmulReference({ form, rows, columns, inner, a: Float64Array.from(a), b: Float64Array.from(b), out })
  return out
}

await onEachFamily(t, async (device, t) => {
  // Products of few rows read the integers, those of many rows floats.
  for (const rows of [3, 40])
    await t.test(`${rows} rows of a linear layer, its adapter and their gradients`, async t => {
      const { weight, elements } = frozen(device, [outputs, inputs])
      const before = noise(rows * inputs, 2)
      const [downs, ups] = [noise(rank * inputs, 3), noise(outputs * rank, 4)]
      const down = trained(device, 'down', [rank, inputs], downs)
      const up = trained(device, 'up', [outputs, rank], ups)
      const recording = new Recording(device)
      const pass = new Pass(recording, true)
      // x = input · squareᵀ: a trained layer before, so that x wants a gradient.
      const square = trained(device, 'square', [inputs, inputs], noise(inputs * inputs, 5))
      const input = given(device, [rows, inputs], before)
      const x = linear(pass, input, square)
      const y = linear(pass, x, { ...weight, adapter: { down, up, scale } })
      recording.pinned.add(y)
      const dy = recording.pin('dy', [rows, outputs])
      pass.coefficients(y, dy)
      recording.segment('backward')
      pass.backward()
      const compiled = await compile(device, recording, 'test')
      const outer = noise(rows * outputs, 6)
      compiled.write(dy, outer)
      compiled.run()
      const value = (squares: ArrayLike<number>, downOf: ArrayLike<number>, upOf: ArrayLike<number>) => {
        const xs = product('nt', rows, inputs, inputs, before, squares)
        const plain = product('nt', rows, outputs, inputs, xs, elements)
        const low = product('nt', rows, rank, inputs, xs, downOf)
        const added = product('nt', rows, outputs, rank, low, upOf)
        return plain.map((number, i) => number + scale * added[i])
      }
      const squares = noise(inputs * inputs, 5)
      close(t, await compiled.read(y), value(squares, downs, ups), 3e-6, 'y:')
      const slope = (of: (moved: readonly number[]) => ArrayLike<number>, at: ArrayLike<number>) =>
        finiteDifferences(of, at, outer)
      close(
        t,
        await device.read(up.gradient),
        slope(v => value(squares, downs, v), ups),
        3e-6,
        'd up:',
      )
      close(
        t,
        await device.read(down.gradient),
        slope(v => value(squares, v, ups), downs),
        3e-6,
        'd down:',
      )
      // Through the frozen weight: one row of the layer before is enough, and each is a sum over all of the integers.
      const firstRow = squares.subarray(0, inputs)
      const wanted = slope(v => value([...v, ...squares.subarray(inputs)], downs, ups), firstRow)
      close(t, (await device.read(square.gradient)).subarray(0, inputs), wanted, 3e-6, 'd square:')
      compiled.free()
    })

  await t.test('log-probabilities and logits of a head that is held as integers', async t => {
    const rows = 20
    const { weight, elements } = frozen(device, [outputs, inputs])
    const recording = new Recording(device)
    const pass = new Pass(recording, true)
    const square = trained(device, 'square', [inputs, inputs], noise(inputs * inputs, 5))
    const hidden = linear(pass, given(device, [rows, inputs], noise(rows * inputs, 2)), square)
    const tokens = [0, 7, 19].map(row => ({ row, target: row + 3 }))
    const { logProbs, coefficients } = logProbabilities(pass, hidden, weight, {
      tokens: () => tokens,
      temperature: 1,
    })
    const all = logits(new Pass(recording, false), hidden, weight)
    recording.pinned.add(all)
    recording.segment('backward')
    pass.backward()
    const compiled = await compile(device, recording, 'test')
    compiled.write(coefficients, Float32Array.of(1, -0.5, 2))
    compiled.run()
    const chances = (squares: ArrayLike<number>) => {
      const xs = product('nt', rows, inputs, inputs, noise(rows * inputs, 2), squares)
      const all = product('nt', rows, outputs, inputs, xs, elements)
      const of = (row: number) => all.subarray(row * outputs, (row + 1) * outputs)
      const chosen = tokens.map(({ row, target }) => {
        const sum = of(row).reduce((sum, logit) => sum + Math.exp(logit), 0)
        return (of(row)[target] ?? 0) - Math.log(sum)
      })
      return { all, chosen }
    }
    const squares = noise(inputs * inputs, 5)
    close(t, await compiled.read(all), chances(squares).all, 3e-6, 'logits:')
    close(t, await compiled.read(logProbs), chances(squares).chosen, 3e-6, 'log-probabilities:')
    const wanted = finiteDifferences(
      v => chances([...v, ...squares.subarray(inputs)]).chosen,
      squares.subarray(0, inputs),
      [1, -0.5, 2],
    )
    close(t, (await device.read(square.gradient)).subarray(0, inputs), wanted, 1e-5, 'd square:')
    compiled.free()
  })
})

await t.test('floats of two weights are never in memory together', async t => {
  const { recordingBytes } = await import('../../../kernels/plan/memory.ts')
  const recording = new Recording({ family: 'gpu', units: 'none', subgroupSize: 32 })
  const pass = new Pass(recording, false)
  const outside = (shape: readonly number[]) => {
    const storage = { buffer: {} as GPUBuffer, offsetBytes: 0 } // nothing is run
    return { label: 'outside', shape, type: 'u32' as const, storage }
  }
  const side = 2048
  const integers = outside([side, side / 8])
  const matrix = {
    bits: 4 as const,
    groupSize: 128,
    shape: [side, side],
    integers,
    groups: outside([side, 16]),
  }
  let x = recording.tensor('x', [64, side])
  for (let i = 0; i < 5; i++)
    x = linear(pass, x, { name: `${i}`, shape: [side, side], value: integers, integers: matrix })
  const floats = side * side * 4
  const bytes = recordingBytes(recording, 2 ** 31)
  t.ok(bytes > floats && bytes < 1.5 * floats, `${bytes} bytes for ${floats} bytes of one weight`)
})
