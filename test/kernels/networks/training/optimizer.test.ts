import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { parameter } from '../../../../kernels/networks/parameters.ts'
import { adamWOptimizer } from '../../../../kernels/networks/training/optimizer.ts'
import { forward, type VideoModel } from '../../../../kernels/networks/video-model.ts'
import { adjustScaleReference } from '../../../../kernels/optimizer/loss-scale.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { writeNewCheckpoint } from '../../../../operators/model/checkpoint/new-checkpoint.ts'
import { close, noise } from '../../support.ts'

const folder = join(t.testdir(), 'model')
const of = { tokenizer: 'builtin:tokenizer', seed: 1, dtype: 'float32' } as const
for await (const _ of writeNewCheckpoint(folder, { config: 'builtin:configurations/small.json', ...of }));
const checkpoint = await openCheckpoint(folder)
const device = await openDevice()
t.teardown(() => device.close())

const rates = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradientNorm: 1 }
const sequence = { ids: [1, 2, 3, 4], completions: [[5, 6, 7, 8], [9]] }

async function backward(model: VideoModel, coefficients: Float32Array<ArrayBuffer>): Promise<Float32Array> {
  const pass = await forward(model, [sequence], true)
  pass.backward(coefficients)
  await device.finish()
  pass.free()
  return pass.logProbs
}

const gradientOf = async (model: VideoModel, name: string) => {
  const { gradient } = parameter(model.weights, name)
  return gradient ? device.read(gradient) : new Float32Array()
}

t.test('gradients do not change with the scale, and an update divides them by it', async t => {
  const model = await loadModel(device, checkpoint, ['language'], 'float16')
  t.teardown(() => model.weights.free())
  const name = 'language_model.model.layers.0.mlp.up_proj.weight'
  const coefficients = noise(5, 3, 0.1)
  await backward(model, coefficients)
  const plain = await gradientOf(model, name)
  const states = []
  for (const lossScale of [1, 1000]) {
    const optimizer = await adamWOptimizer(model, { ...rates, lossScale, lossScaleGrowth: 2 })
    optimizer.clearGradients()
    await backward(model, coefficients)
    // The power of two below 1000.
    const scale = lossScale === 1 ? 1 : 512
    const scaled = (await gradientOf(model, name)).map(value => value / scale)
    close(t, scaled, plain, 1e-3, `${name} at ${scale}`)
    const { gradientNorm, applied, scaling } = await optimizer.step(0)
    t.ok(applied)
    t.match(scaling, { scale, skipped: false, skippedSteps: 0, cuts: 0 })
    states.push(gradientNorm)
    const { first } = optimizer.moments(parameter(model.weights, name))
    const clip = Math.min(1, 1 / gradientNorm)
    close(
      t,
      await device.read(first),
      plain.map(value => value * 0.1 * clip),
      1e-3,
      'the mean gradient',
    )
    optimizer.free()
  }
  t.ok(Math.abs(states[0] / states[1] - 1) < 1e-3)
})

t.test(
  'where gradients leave the range the update is skipped and the scale halves; it doubles after good ones',
  async t => {
    const model = await loadModel(device, checkpoint, ['language'], 'float16')
    t.teardown(() => model.weights.free())
    const optimizer = await adamWOptimizer(model, { ...rates, lossScale: 2 ** 24, lossScaleGrowth: 2 })
    t.teardown(() => optimizer.free())
    const name = 'language_model.model.layers.1.mlp.down_proj.weight'
    const before = await device.read(parameter(model.weights, name).value)
    let state = { exponent: 24, since: 0 }
    const cutRounds = [0, 1, 2, 7]
    let skipped = 0
    for (let round = 0; round < 12; round++) {
      optimizer.clearGradients()
      await backward(model, noise(5, round, 4))
      // What matrix units would count; there are none here.
      if (cutRounds.includes(round) && model.weights.lossScale)
        device.write(model.weights.lossScale.backwardCuts, Uint32Array.of(3))
      const { applied, scaling } = await optimizer.step(1e-3)
      t.equal(applied, !cutRounds.includes(round))
      if (!applied) skipped++
      t.match(scaling, {
        scale: 2 ** state.exponent,
        skipped: !applied,
        skippedSteps: skipped,
        cuts: applied ? 0 : 3,
      })
      const after = await device.read(parameter(model.weights, name).value)
      if (round < 4)
        t.equal(
          after.every((value, i) => value === before[i]),
          round < 3,
          'a skipped update changes nothing',
        )
      state = adjustScaleReference(state, applied, 2)
    }
    t.equal(optimizer.steps, 12 - skipped)
  },
)

t.test('a model in float32 has no scale, and its updates are those without one', async t => {
  const model = await loadModel(device, checkpoint, ['language'])
  t.teardown(() => model.weights.free())
  t.equal(model.weights.lossScale, undefined)
  const name = 'language_model.model.norm.weight'
  const weights: Float32Array[] = []
  for (const lossScale of [1, 65536]) {
    const { value } = parameter(model.weights, name)
    device.write(value, new Float32Array(value.shape[0]).fill(1))
    const optimizer = await adamWOptimizer(model, { ...rates, lossScale })
    optimizer.clearGradients()
    await backward(model, noise(5, 1, 1))
    t.notOk((await optimizer.step(1e-3)).scaling)
    weights.push(await device.read(value))
    optimizer.free()
    // Other weights have moved too: the second round begins where the first did.
    if (lossScale === 1) await restore(model)
  }
  t.ok(Buffer.from(weights[0].buffer).equals(Buffer.from(weights[1].buffer)))
})

async function restore(model: VideoModel): Promise<void> {
  for (const [name, { value, gradient }] of model.weights.byName) {
    if (!gradient) continue
    let at = 0
    for await (const piece of checkpoint.read(name)) {
      device.write(value, piece, at)
      at += piece.length
    }
  }
}
