// Every family in float16 on matrix units: valid kernels, recorded without a device, and the numbers of float32 where the adapter
// has matrix units. Elsewhere weights alone are float16.
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { DeviceOptions } from '../../../../kernels/device/adapter.ts'
import { openDevice } from '../../../../kernels/device/device.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { generate } from '../../../../kernels/networks/generation/batch-writer.ts'
import { canStepFast } from '../../../../kernels/networks/generation/fast-steps.ts'
import { slotWriter } from '../../../../kernels/networks/generation/slot-writer.ts'
import { devicelessModel } from '../../../../kernels/networks/memory-estimate.ts'
import { packFor } from '../../../../kernels/networks/packing.ts'
import { encodeFrames, forward, recordForward } from '../../../../kernels/networks/video-model.ts'
import { type Precision, Recording } from '../../../../kernels/plan/recording.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import { loadModel, shapeOf } from '../../../../operators/model/checkpoint/load-model.ts'
import { writeNewCheckpoint } from '../../../../operators/model/checkpoint/new-checkpoint.ts'
import { expectedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import { fixture } from '../../../fixtures.ts'
import { boundsOf } from '../../../golden/bounds.ts'
import { vanishes } from '../../../golden/family.ts'
import { complaints, nullDevice } from '../../../kernels/null-device.ts'
import { close, noise } from '../../../kernels/support.ts'
import { evenConfig, families } from './even-sizes.ts'

// Software drivers compile the kernels of four families.
t.setTimeout(300_000)

// Two moments of 3 × 5 squares: windows of 2 × 2 squares are cut at two edges.
const framesOf = {
  smolvlm: [2, 3, 25, 25],
  internvl: [2, 3, 25, 25],
  qwen25vl: [4, 3, 36, 60],
  qwen3vl: [4, 3, 36, 60],
}
const completions = [[11, 12, 13], [14]]
const idsOf = (family: string) => (family === 'qwen3vl' ? [5, -200, 7, -200, 9] : [5, -200, 7, 8, 9])

const gpu = await nullDevice()
t.teardown(() => gpu.destroy())

for (const family of families)
  t.test(
    `${family}: every kernel that trains all parts is valid WGSL for a GPU with matrix units`,
    async t => {
      const config = parseModelConfig('config.json', await evenConfig(family), {
        eosId: 399,
        idOf: () => undefined,
      })
      const options = {
        shape: shapeOf(config),
        weights: expectedTensors(config),
        maxLength: 400,
        frameWords: 0,
      }
      const model = devicelessModel({ ...options, trained: () => true, precision: 'float16' })
      const storage = { buffer: {} as GPUBuffer, offsetBytes: 0 } // never read
      const pixels = { label: 'pixels', shape: framesOf[family], type: 'f32', storage } as const
      const sequences = [{ ids: idsOf(family), pixels, momentSeconds: 1, completions }]
      const found = await complaints(gpu, recording => {
        const packed = packFor({ ...model, device: recording.target }, sequences)
        recordForward(recording, model, { sequences, packed, training: true, temperature: 1 })
      })
      t.same(found, [])
    },
  )

/** Features of a clip, log-probabilities of completions, and gradients of all three parts. */
async function numbersOf(
  family: (typeof families)[number],
  folder: string,
  options: DeviceOptions,
  precision: Precision,
) {
  const device = await openDevice(options)
  try {
    const checkpoint = await openCheckpoint(folder)
    const model = await loadModel(device, checkpoint, ['connector', 'language', 'vision'], precision)
    const pixels = device.tensor('pixels', framesOf[family], 'f32', noise(sizeOf(framesOf[family]), 2))
    const features = await encodeFrames(model, pixels)
    const sequence = { ids: idsOf(family), pixels, momentSeconds: 60, completions }
    const pass = await forward(model, [sequence], true)
    pass.backward(noise(pass.logProbs.length, 5))
    const logProbs = [...pass.logProbs]
    pass.free()
    const gradients = new Map<string, Float32Array>()
    for (const { name, gradient } of model.weights.byName.values())
      if (gradient) gradients.set(name, await device.read(gradient))
    const bounds = boundsOf(model.shape, 'float16')
    return { features: await device.read(features), logProbs, gradients, bounds, units: device.units }
  } finally {
    device.close()
  }
}

/** A new checkpoint of a family, with random weights. */
async function checkpointIn(folder: string, family: (typeof families)[number]): Promise<string> {
  await cp(fixture(`families/${family}`), folder, { recursive: true })
  const config = join(folder, 'config.json')
  await writeFile(config, JSON.stringify(await evenConfig(family)))
  const out = join(folder, 'model')
  const of = { config, tokenizer: folder, seed: 1, dtype: 'float32' } as const
  for await (const _ of writeNewCheckpoint(out, of));
  return out
}

for (const family of families)
  t.test(`${family}: in float16 it has the numbers of float32`, async t => {
    const folder = await checkpointIn(t.testdir({}), family)
    const wanted = await numbersOf(family, folder, { family: 'gpu', units: 'none' }, 'float32')
    const found = await numbersOf(family, folder, { family: 'gpu' }, 'float16')
    t.comment(`matrix units: ${found.units}`)
    const { bounds } = found
    // Tokens pull in opposite directions, as sequences of a group do. Half more is for sums over rows that nearly cancel: an H200's
    // native units gave 6.1e-3 for a norm of Qwen2.5-VL and 9.3e-3 for one of Qwen3-VL, where groups may be off by 7.5e-3 and 8.8e-3.
    const gradientsOff = 1.5 * bounds.groupGradients
    close(t, found.features, wanted.features, bounds.vision, 'features')
    close(t, found.logProbs, wanted.logProbs, bounds.logits, 'log-probabilities')
    t.ok(wanted.gradients.size > 50)
    for (const [name, gradient] of wanted.gradients)
      if (!vanishes(name)) close(t, found.gradients.get(name) ?? [], gradient, gradientsOff, name)
  })

const real = await openDevice({ family: 'gpu' })
t.teardown(() => real.close())
/** With emulated units, software drivers compile the kernels of these steps for minutes. */
const skip = real.units === 'native' ? false : 'this adapter has no matrix units'

for (const family of families)
  t.test(
    `${family}: steps of few dispatches draw what a pass over prompt and completions says`,
    { skip },
    async t => {
      const checkpoint = await openCheckpoint(await checkpointIn(t.testdir({}), family))
      const model = await loadModel(real, checkpoint, [], 'float16')
      t.ok(canStepFast(new Recording(real, 'float16'), model.weights, model.shape.language))
      const pixels = real.tensor('pixels', framesOf[family], 'f32', noise(sizeOf(framesOf[family]), 2))
      const prompt = { ids: idsOf(family), momentSeconds: 60, features: await encodeFrames(model, pixels) }
      const sampling = { greedy: false, temperature: 1, topK: 0, topP: 1 }
      const limits = { maxNewTokens: 6, endIds: [] }
      const request = { ...prompt, seeds: [1, 2, 3] }
      const [batch = []] = await generate(model, [request], sampling, limits)
      const write = slotWriter(model, sampling, { ...limits, slots: 1, count: 3 })
      const { completions } = await write(request)
      t.same(
        completions.map(({ ids }) => ids),
        batch,
      )
      const pass = await forward(model, [{ ...prompt, completions: batch }], false)
      const drawn = completions.flatMap(({ logProbs = [] }) => logProbs)
      close(t, drawn, pass.logProbs, boundsOf(model.shape, 'float16').logits)
      pass.free()
      model.weights.free()
    },
  )
