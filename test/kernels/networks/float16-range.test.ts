import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { toFloat16Bits } from '../../../kernels/device/float16.ts'
import { siluMultiply } from '../../../kernels/layers/activation.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { type Parameter, Pass } from '../../../kernels/layers/pass.ts'
import { matmul } from '../../../kernels/matmul/matmul.ts'
import { generate } from '../../../kernels/networks/generation/batch-writer.ts'
import { encodeFrames, forward } from '../../../kernels/networks/video-model.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { fixture } from '../../fixtures.ts'
import { openExpected } from '../../golden/expected.ts'
import type { ExpectedJson } from '../../oracle/expected-json.ts'
import { noise } from '../support.ts'

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())
const real = await openDevice()
t.teardown(() => real.close())
/** With emulated units, software drivers compile the tiles of networks for minutes. */
const skip = real.units === 'native' ? false : 'this adapter has no matrix units'

for (const rows of [5, 70])
  t.test(`products of ${rows} rows clamp their left factor to float16's range and count it`, async t => {
    const [columns, inner] = [16, 32]
    for (const largest of [65504, 65505]) {
      const left = noise(rows * inner)
      left[3] = -largest
      const a = device.tensor('a', [rows, inner], 'f32', left)
      const b = device.tensor('b', [columns, inner], 'f32', new Float32Array(columns * inner).fill(1))
      const out = device.tensor('out', [rows, columns])
      const saturated = device.tensor('cuts', [1], 'u32')
      const recording = new Recording(device, 'float16')
      recording.saturated = saturated
      matmul(recording, { form: 'nt', rows, columns, inner, a, b, out })
      const compiled = await compile(device, recording, 'test')
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
      const recording = new Recording(device, 'float16')
      recording.saturated = saturated
      matmul(recording, { form, rows, columns, inner, a, b, out, tile })
      const compiled = await compile(device, recording, 'test')
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
  'a feed-forward half clamps and counts values outside the range: neither pass has infinities or NaN',
  { skip },
  async t => {
    const [rows, width, inner] = [3, 16, 32]
    const recording = new Recording(real, 'float16')
    const pass = new Pass(recording, true)
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
    recording.saturated = forwardCuts
    // Products of about 1e5 · 1e5, which go into the last layer.
    const middle = siluMultiply(pass, linear(pass, x, gate), linear(pass, x, up))
    const y = linear(pass, middle, down)
    const coefficients = recording.pin('coefficients', [rows, width])
    recording.pinned.add(y)
    pass.coefficients(y, coefficients)
    recording.segment('backward')
    recording.saturated = backwardCuts
    pass.backward()
    const compiled = await compile(real, recording, 'test')
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

t.test(
  'a whole model with activations of 1e5 stays finite in forward and backward, and counts clamped values',
  async t => {
    const folder = fixture('tiny-bf16')
    const json: ExpectedJson = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
    const expected = await openExpected(join(folder, 'expected.safetensors'))
    const model = await loadModel(real, await openCheckpoint(folder), ['connector', 'language'], 'float16')
    const enlarged = /layers\.0\.(mlp\.(gate_proj|up_proj|fc1)|1\.1|self_attn\.(q|k|v)_proj)\.weight$/
    for (const [name, { value }] of model.weights.byName) {
      if (!enlarged.test(name)) continue
      const values = (await real.read(value)).map(x => x * (name.includes('attn') ? 1e3 : 1e5))
      real.write(value, value.type === 'f16' ? toFloat16Bits(values) : values)
    }
    const cuts = async (name: 'forwardCuts' | 'backwardCuts'): Promise<number> => {
      const counter = model.weights.lossScale?.[name]
      const [count] = counter ? await real.readIntegers(counter) : [0]
      return count
    }
    const isCut = real.units !== 'none' // products are float32 without
    const frames = real.tensor('frames', expected.shape('frames'), 'f32', await expected.read('frames'))
    const features = await encodeFrames(model, frames)
    const seen = await real.read(features)
    t.ok(seen.every(Number.isFinite) && seen.some(x => Math.abs(x) > 1e5), 'features')
    t.equal((await cuts('forwardCuts')) > 0, isCut, 'cuts of the vision tower')
    const before = await cuts('forwardCuts')
    const { ids } = json.prompt
    const pass = await forward(model, [{ ids, features, completions: json.grpo.completions }], true)
    t.ok(pass.logProbs.every(Number.isFinite), 'log-probabilities')
    t.equal((await cuts('forwardCuts')) > before, isCut, 'cuts of a forward')
    pass.backward(Float32Array.from(pass.logProbs, (_, i) => 1e3 * ((i % 3) - 1)))
    for (const { name, gradient } of model.weights.byName.values())
      if (gradient) t.ok((await real.read(gradient)).every(Number.isFinite), `d ${name}`)
    t.equal((await cuts('backwardCuts')) > 0, isCut, 'cuts of a backward')
    pass.free()
    const between = await cuts('forwardCuts')
    const sampling = { greedy: false, temperature: 1, topK: 0, topP: 1 }
    const limits = { maxNewTokens: 3, endIds: [] }
    const [[written]] = await generate(model, [{ ids, features, seeds: [1] }], sampling, limits)
    t.equal(written.length, 3)
    t.equal((await cuts('forwardCuts')) > between, isCut, 'cuts of generation')
    for (const tensor of [frames, features]) real.freeTensor(tensor)
    model.weights.free()
  },
)
