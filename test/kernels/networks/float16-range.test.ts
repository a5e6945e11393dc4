import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device.ts'
import { matmul } from '../../../kernels/matmul.ts'
import { adamWOptimizer } from '../../../kernels/networks/optimizer.ts'
import { parameter } from '../../../kernels/networks/parameters.ts'
import { forward } from '../../../kernels/networks/video-model.ts'
import { compile, Plan } from '../../../kernels/plan.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint.ts'
import { loadModel } from '../../../operators/model/load-model.ts'
import { writeNewCheckpoint } from '../../../operators/model/new-checkpoint.ts'
import { noise } from '../support.ts'

// Software drivers take seconds to compile a product on units that loops stand for.
t.setTimeout(170_000)
const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())

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

t.test(
  'activations beyond float16 are cut and counted: no infinity, no NaN, and training goes on',
  async t => {
    const folder = join(t.testdir(), 'model')
    const of = { tokenizer: 'builtin:tokenizer', seed: 1, dtype: 'float32' } as const
    for await (const _ of writeNewCheckpoint(folder, { config: 'builtin:configurations/small.json', ...of }));
    const checkpoint = await openCheckpoint(folder)
    const model = await loadModel(device, checkpoint, ['language'], 'float16')
    t.teardown(() => model.weights.free())
    // The middle of the feed-forward part then reaches about 1e5 · 1e5.
    for (const part of ['gate', 'up']) {
      const { value } = parameter(model.weights, `language_model.model.layers.0.mlp.${part}_proj.weight`)
      device.write(
        value,
        (await device.read(value)).map(weight => weight * 1e5),
      )
    }
    const optimizer = await adamWOptimizer(model, {
      ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradientNorm: 1 },
      lossScale: 4,
      lossScaleGrowth: 100,
    })
    t.teardown(() => optimizer.free())
    let cuts = 0
    let applied = false
    for (let round = 0; round < 4; round++) {
      optimizer.clearGradients()
      const pass = await forward(model, [{ ids: [1, 2, 3, 4], completions: [[5, 6, 7, 8], [9]] }], true)
      pass.backward(noise(5, round, 1))
      pass.free()
      t.ok(pass.logProbs.every(Number.isFinite), 'log-probabilities are finite')
      const update = await optimizer.step(1e-6)
      t.ok(Number.isFinite(update.gradientNorm), 'gradients are finite')
      cuts += update.scaling?.cuts ?? 0
      applied = update.applied
    }
    t.ok(cuts > 0, `${cuts} cuts`)
    t.ok(applied, 'at a scale of 1 cuts alone stop nothing')
  },
)
