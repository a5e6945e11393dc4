import t from 'tap'
import { adamWOptimizer } from '../../../../kernels/networks/training/optimizer.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { onEachFamily } from '../../../kernels/support.ts'
import { baseCheckpoint, same } from './adapted-model.ts'

const { checkpoint } = await baseCheckpoint(t)

await onEachFamily(t, async (device, t) => {
  t.test('norms and biases do not decay where only matrices do', async t => {
    const model = await loadModel(device, checkpoint, ['connector', 'language'])
    const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5, maxGradientNorm: 1 }
    const all = await adamWOptimizer(model, options)
    const some = await adamWOptimizer(model, { ...options, decayed: 'matrices' })
    const weights = [...model.weights.byName.values()].filter(({ gradient }) => gradient)
    const values = () => Promise.all(weights.map(({ value }) => device.read(value)))
    all.clearGradients()
    const before = await values()
    t.ok((await some.step(0.5)).applied)
    const after = await values()
    for (const [i, { name, shape }] of weights.entries()) {
      const factor = shape.length > 1 ? 0.75 : 1
      const wanted = before[i].map(value => factor * value)
      t.ok(same(after[i], wanted), `${name} times ${factor}`)
    }
    await all.step(0.5)
    const last = await values()
    t.ok(
      last.every((row, i) =>
        same(
          row,
          after[i].map(value => 0.75 * value),
        ),
      ),
    )
    for (const optimizer of [all, some]) optimizer.free()
    model.weights.free()
  })
})
