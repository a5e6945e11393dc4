import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import type { Recompute } from '../../../kernels/layers/recompute.ts'
import { imagePlaceholderId } from '../../../kernels/networks/packing.ts'
import { forward, type VideoModel } from '../../../kernels/networks/video-model.ts'
import { freeIdleRecordings } from '../../../kernels/plan/reuse.ts'
import { resolvePath } from '../../../operators/builtin.ts'
import { newAdapter } from '../../../operators/model/checkpoint/adapter.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { writeNewCheckpoint } from '../../../operators/model/checkpoint/new-checkpoint.ts'
import { noise } from '../support.ts'

const folder = join(t.testdir(), 'model')
const config = `${folder}.json`
const sizes = JSON.parse(readFileSync(resolvePath('builtin:configurations/small.json'), 'utf8'))
// Blocks enough for what they keep to be most of a pass.
sizes.text_config.num_hidden_layers = 5
writeFileSync(config, JSON.stringify(sizes))
for await (const _ of writeNewCheckpoint(folder, {
  config,
  tokenizer: 'builtin:tokenizer',
  seed: 1,
  dtype: 'float32',
}));
const checkpoint = await openCheckpoint(folder)
const device = await openDevice()
t.teardown(() => device.close())

/** Gradients after one pass over a clip and two completions, their log-probabilities, and the bytes that the pass took. */
async function trained(model: VideoModel, recompute: Recompute) {
  const { vision } = model.shape
  const shape = [4 * vision.frameTokens, vision.hidden]
  const features = device.tensor('features', shape, 'f32', noise(shape[0] * shape[1], 3))
  const completions = [Array.from({ length: 33 }, (_, i) => 7 * i + 1), [5, 6, 7]]
  const sequence = { ids: [1, 2, imagePlaceholderId, 3], features, completions }
  const before = device.liveBytes
  const pass = await forward({ ...model, recompute }, [sequence], true)
  const bytes = device.liveBytes - before
  pass.backward(noise(pass.logProbs.length, 5), noise(pass.logProbs.length, 6))
  const gradients = new Map<string, Buffer>()
  for (const { name, gradient } of model.weights.byName.values())
    if (gradient) gradients.set(name, Buffer.from(await device.readBytes(gradient)))
  pass.free()
  // What is kept for the next pass would lend it more memory than it needs.
  freeIdleRecordings(device, model.weights)
  for (const { gradients: flat } of model.weights.slabs) device.write(flat, new Float32Array(flat.shape[0]))
  device.freeTensor(features)
  return { logProbs: pass.logProbs, bytes, gradients }
}

async function compare(test: Pick<typeof t, 'ok' | 'same'>, model: VideoModel) {
  const plain = await trained(model, 'none')
  test.ok([...plain.gradients.values()].some(bytes => bytes.some(byte => byte !== 0)))
  let least = plain.bytes
  for (const recompute of ['mlp', 'full'] as const) {
    const recomputed = await trained(model, recompute)
    test.ok(Buffer.from(recomputed.logProbs.buffer).equals(Buffer.from(plain.logProbs.buffer)))
    const different = [...plain.gradients].filter(
      ([name, bytes]) => !recomputed.gradients.get(name)?.equals(bytes),
    )
    test.same(
      different.map(([name]) => name),
      [],
      `${recompute}: every gradient is the same to the bit`,
    )
    test.ok(recomputed.bytes < least, `${recompute}: ${recomputed.bytes} bytes are less than ${least}`)
    least = recomputed.bytes
  }
}

t.test('recomputing activations changes no bit of the gradients, and takes less memory', async t => {
  const model = await loadModel(device, checkpoint, ['connector', 'language'])
  t.teardown(() => model.weights.free())
  await compare(t, model)
})

t.test('recomputing changes no bit of the gradients of adapters on frozen layers', async t => {
  const source = newAdapter(checkpoint, { rank: 3, alpha: 2, targets: ['q_proj', 'down_proj'], seed: 1 })
  const model = await loadModel(device, checkpoint, [], 'float32', { source, trained: true })
  t.teardown(() => model.weights.free())
  await compare(t, model)
})
