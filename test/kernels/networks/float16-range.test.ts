import t from 'tap'
import { openDevice } from '../../../kernels/device.ts'
import { siluMultiply } from '../../../kernels/layers/activation.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { type Parameter, Pass } from '../../../kernels/layers/pass.ts'
import { matmul } from '../../../kernels/matmul.ts'
import { compile, Plan } from '../../../kernels/plan.ts'
import { noise } from '../support.ts'

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())
const real = await openDevice()
t.teardown(() => real.close())
/** Software drivers compile the cuts of networks for minutes, where loops stand for units. */
const skip = real.units === 'native' ? false : 'this adapter has no matrix units'

for (const rows of [5, 70])
  t.test(`products of ${rows} rows cut their left factor to float16's range and count it`, async t => {
    const [columns, inner] = [16, 32]
    for (const largest of [65504, 65505]) {
      const left = noise(rows * inner)
      left[3] = -largest
      const a = device.tensor('a', [rows, inner], 'f32', left)
      const b = device.tensor('b', [columns, inner], 'f32', new Float32Array(columns * inner).fill(1))
      const out = device.tensor('out', [rows, columns])
      const saturated = device.tensor('cuts', [1], 'u32')
      const plan = new Plan(device, 'float16')
      plan.saturated = saturated
      matmul(plan, { form: 'nt', rows, columns, inner, a, b, out })
      const compiled = await compile(device, plan, 'test')
      compiled.run()
      const [cuts] = await device.readIntegers(saturated)
      t.equal(cuts > 0, largest > 65504, `${largest}`)
      t.ok(Math.abs((await device.read(out))[0] + 65504) < 32)
      compiled.free()
      for (const tensor of [a, b, out, saturated]) device.freeTensor(tensor)
    }
  })

t.test('products of a backward stay finite whichever factor leaves the range', async t => {
  const [rows, columns, inner] = [16, 16, 16]
  const tile = { rowSubgroups: 2, columnSubgroups: 1, rowBlocks: 1, columnBlocks: 2, depth: 16 }
  for (const form of ['nn', 'tn'] as const)
    for (const huge of ['a', 'b']) {
      const values = (name: string) => noise(256, 1, name === huge ? 1e9 : 1)
      const a = device.tensor('a', [16, 16], 'f32', values('a'))
      const b = device.tensor('b', [16, 16], 'f32', values('b'))
      const out = device.tensor('out', [16, 16])
      const saturated = device.tensor('cuts', [1], 'u32')
      const plan = new Plan(device, 'float16')
      plan.saturated = saturated
      matmul(plan, { form, rows, columns, inner, a, b, out, tile })
      const compiled = await compile(device, plan, 'test')
      compiled.run()
      t.ok((await device.read(out)).every(Number.isFinite), `${form}, ${huge}`)
      // The left factor of a backward is the derivative, which a smaller scale of the loss brings back.
      const [cuts] = await device.readIntegers(saturated)
      t.equal(cuts > 0, huge === 'a')
      compiled.free()
      for (const tensor of [a, b, out, saturated]) device.freeTensor(tensor)
    }
})

t.test(
  'a feed-forward part beyond the range is cut and counted: no infinity and no NaN, in both directions',
  { skip },
  async t => {
    const [rows, width, inner] = [3, 16, 32]
    const plan = new Plan(real, 'float16')
    const pass = new Pass(plan, true)
    const forwardCuts = real.tensor('forward cuts', [1], 'u32')
    const backwardCuts = real.tensor('backward cuts', [1], 'u32')
    const trained = (name: string, shape: [number, number], scale: number): Parameter => {
      const value = real.tensor(name, shape, 'f32', noise(shape[0] * shape[1], name.length, scale))
      return { name, shape, value, gradient: real.tensor(`d ${name}`, shape) }
    }
    const weights = [
      trained('up', [inner, width], 1e5),
      trained('gate', [inner, width], 1e5),
      trained('down', [width, inner], 1),
    ]
    const [up, gate, down] = weights
    const x = real.tensor('x', [rows, width], 'f32', noise(rows * width, 9))
    plan.saturated = forwardCuts
    // Products of about 1e5 · 1e5, which go into the last layer.
    const middle = siluMultiply(pass, linear(pass, x, gate), linear(pass, x, up))
    const y = linear(pass, middle, down)
    const coefficients = plan.pin('coefficients', [rows, width])
    plan.pinned.add(y)
    pass.coefficients(y, coefficients)
    plan.segment('backward')
    plan.saturated = backwardCuts
    pass.backward()
    const compiled = await compile(real, plan, 'test')
    compiled.write(coefficients, noise(rows * width, 4))
    compiled.run()
    const found = await compiled.read(y)
    t.ok(found.every(Number.isFinite))
    t.ok(Math.max(...found) > 1e5, 'sums are float32: they go on beyond the range')
    for (const { name, gradient } of weights)
      if (gradient) {
        const slopes = await real.read(gradient)
        t.ok(slopes.every(Number.isFinite), `d ${name}`)
        t.ok(
          slopes.some(slope => slope !== 0),
          `d ${name} is not zero`,
        )
      }
    for (const cuts of [forwardCuts, backwardCuts]) t.ok((await real.readIntegers(cuts))[0] > 0, cuts.label)
    compiled.free()
  },
)
