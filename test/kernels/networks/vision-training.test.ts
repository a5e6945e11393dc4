import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { encodeFrames, forward } from '../../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel, type TrainedPart } from '../../../operators/model/checkpoint/load-model.ts'
import { cases } from '../../oracle/cases.ts'
import { readModel, visionFeatures } from '../../oracle/model.ts'
import { groupLogProbabilities } from '../../oracle/quantities.ts'
import { randomOf } from '../../oracle/random.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'
import { Tape } from '../../oracle/tape.ts'
import { close } from '../support.ts'

const device = await openDevice()
t.teardown(() => device.close())

for (const sizes of cases) {
  // The last block that is computed; the released tower is used up to its last but one.
  const last = sizes.vision.num_hidden_layers + sizes.layer
  const parts: TrainedPart[][] = [['vision', 'connector', 'language'], [`vision from ${last}`]]
  for (const trained of parts) {
    t.test(`${sizes.name}: gradients of ${trained.join(', ')} are the oracle's`, async t => {
      const folder = join(t.testdir({}), sizes.name)
      await writeRandomCheckpoint(folder, sizes)
      const checkpoint = await openCheckpoint(folder)
      const model = await loadModel(device, checkpoint, trained)
      t.teardown(() => model.weights.free())
      const random = randomOf(1)
      const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random.uniform() * 390))
      const side = sizes.vision.image_size
      const values = Float32Array.from({ length: 3 * 3 * side * side }, () => 2 * random.uniform() - 1)
      const pixels = device.tensor('pixels', [3, 3, side, side], 'f32', values)
      const prompt = [...ids(3), -200, ...ids(2)]
      const completions = [ids(4), ids(2)]
      const pass = await forward(model, [{ ids: prompt, pixels, completions }], true)
      const coefficients = Float32Array.from(pass.logProbs, () => random.normal())
      pass.backward(coefficients)
      pass.free()

      const isTrained = (name: string) => model.weights.byName.get(name)?.gradient !== undefined
      const oracle = await readModel(checkpoint, isTrained)
      const tape = new Tape()
      const features = visionFeatures(oracle, Float64Array.from(values), tape)
      const logProbs = groupLogProbabilities(tape, oracle, features, prompt, completions)
      tape.backward(logProbs, coefficients)
      close(t, pass.logProbs, logProbs.data, 2e-5, 'log-probabilities')
      const weights = [...model.weights.byName.values()].filter(({ gradient }) => gradient)
      t.ok(weights.some(({ name }) => name.includes(`encoder.layers.${last}.`)))
      t.equal(
        weights.some(({ name }) => name.endsWith('position_embedding.weight')),
        trained.includes('vision'),
      )
      for (const { name, gradient } of weights) {
        const wanted = oracle.weights.get(name)?.gradient ?? []
        // Adding the same to all keys changes no probability: the true gradient is 0, and so is what noise leaves of it.
        const isNothing = name.startsWith('vision_tower.') && name.endsWith('k_proj.bias')
        if (gradient && !isNothing) close(t, await device.read(gradient), wanted, 3e-4, name)
      }
      const encoded = await encodeFrames(model, pixels)
      close(t, await device.read(encoded), features.data, 1e-5, 'features of the tower alone')
    })
  }
}
