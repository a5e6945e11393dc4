import { join } from 'node:path'
import t from 'tap'
import { type Device, openDevice } from '../../../kernels/device/device.ts'
import { writeCompletions } from '../../../kernels/networks/generation/batch-writer.ts'
import { slotWriter } from '../../../kernels/networks/generation/slot-writer.ts'
import { pack, padded, type Sequence, visualTokensOf } from '../../../kernels/networks/packing.ts'
import {
  encodeFrames,
  forward,
  recordForward,
  type VideoModel,
} from '../../../kernels/networks/video-model.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { cases } from '../../oracle/cases.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'
import { countCreations, difference } from '../creations.ts'
import { noise } from '../support.ts'

const folder = join(t.testdir({}), 'checkpoint')
const text = { hidden_size: 32, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2 }
await writeRandomCheckpoint(folder, {
  ...cases[0],
  text: { ...cases[0].text, ...text, num_key_value_heads: 1, head_dim: 16 },
})
const checkpoint = await openCheckpoint(folder)

const ids = (count: number, seed: number): number[] =>
  Array.from(noise(count, seed), value => Math.floor((value / 2 + 0.5) * 50))

/** Features of a clip of two frames. */
const featuresOf = ({ device, shape: { vision } }: VideoModel, seed: number) => {
  const size = [2 * vision.frameTokens, vision.hidden]
  return device.tensor('features', size, 'f32', noise(size[0] * size[1], seed))
}

/** A prompt of this number of tokens with a clip, and completions of these lengths. */
function sequenceOf(model: VideoModel, tokens: number, lengths: readonly number[], seed: number) {
  const prompt = [...ids(3, seed), -200, ...ids(tokens - 3, seed + 1)]
  const completions = lengths.map((length, i) => ids(length, seed + 2 + i))
  return { ids: prompt, features: featuresOf(model, seed), completions }
}

const sampling = { greedy: false, temperature: 1, topK: 5, topP: 1 }
const limits = { maxNewTokens: 12, endIds: [] }

// Loops in the place of matrix units take minutes to compile: float16 is tested where the adapter has units.
const own = await openDevice()
t.teardown(() => own.close())
for (const units of own.units === 'none' ? (['none'] as const) : (['none', own.units] as const)) {
  const device = await openDevice({ family: 'gpu', units })
  t.teardown(() => device.close())
  const precision = units === 'none' ? 'float32' : 'float16'
  const model = { ...(await loadModel(device, checkpoint, ['connector', 'language'], precision)), version: 0 }
  const creations = countCreations(device.gpu)

  t.test(`units ${units}: rows that are added change neither log-probabilities nor gradients`, async t => {
    const sequence = sequenceOf(model, 150, [40, 71, 33], 1)
    const coefficients = noise(144, 9)
    const results: Buffer[][] = []
    for (const step of [1, 128, 512]) results.push(await gradientsOf(model, sequence, coefficients, step))
    results.push(await throughForward(model, sequence, coefficients))
    for (const result of results.slice(1)) t.ok(result.every((bytes, i) => bytes.equals(results[0][i])))
    device.freeTensor(sequence.features)
  })

  t.test(`units ${units}: a step of lengths that are new makes nothing on the GPU`, async t => {
    const writer = slotWriter(model, sampling, { ...limits, slots: 2, count: 2 })
    const { channels, imageSize } = model.shape.vision
    const pixels = device.tensor('pixels', [2, channels, imageSize, imageSize])
    const step = async (prompt: number, lengths: readonly number[], seed: number) => {
      device.freeTensor(await encodeFrames(model, pixels))
      const sequence = sequenceOf(model, prompt, lengths, seed)
      const before = creations()
      const request = { ...sequence, completions: [], seeds: [seed, seed + 1] }
      const [alone] = await writeCompletions(model, [request], sampling, limits)
      const { completions } = await writer(request)
      t.same(completions, alone, 'slots and a batch write the same')
      await forward(model, [sequence], false).then(pass => pass.free())
      const pass = await forward(model, [sequence], true)
      pass.backward(noise(pass.logProbs.length, seed))
      pass.free()
      await device.finish()
      const made = difference(before, creations())
      device.freeTensor(sequence.features)
      return made
    }
    await step(170, [40, 71, 33], 1)
    await step(170, [40, 70, 33], 20)
    const { idleBytes, peakBytes } = device
    t.same(await step(172, [50, 60, 31], 40), {})
    t.same(await step(165, [44, 70, 28], 60), {})
    t.same([device.idleBytes, device.peakBytes], [idleBytes, peakBytes])
    device.freeTensor(pixels)
  })
}

/** Log-probabilities and all gradients as bytes, of a pass padded to multiples of `step`. */
async function gradientsOf(
  model: VideoModel,
  sequence: Sequence,
  coefficients: Float32Array<ArrayBuffer>,
  step: number,
): Promise<Buffer[]> {
  const { device, precision, shape, maxLength } = model
  const recording = new Recording(device, precision)
  const packed = { packing: padded(pack([sequence], visualTokensOf(shape), maxLength), step) }
  const options = { sequences: [sequence], packed, training: true, temperature: 1 }
  const { outputs, inputs } = recordForward(recording, model, options)
  const compiled = await compile(device, recording, 'test')
  for (const input of inputs) if (sequence.features) device.copy(sequence.features, compiled.at(input))
  const all = new Float32Array(packed.packing.supervisedTokens.length)
  all.set(coefficients)
  compiled.write(outputs.coefficients, all)
  compiled.write(outputs.entropyCoefficients, new Float32Array(all.length))
  compiled.run()
  const logProbs = await compiled.read(outputs.logProbs)
  const found = await takeGradients(model)
  compiled.free()
  return [Buffer.from(logProbs.slice(0, coefficients.length).buffer), ...found]
}

async function throughForward(
  model: VideoModel,
  sequence: Sequence,
  coefficients: Float32Array<ArrayBuffer>,
): Promise<Buffer[]> {
  const pass = await forward(model, [sequence], true)
  pass.backward(coefficients)
  pass.free()
  return [Buffer.from(pass.logProbs.slice().buffer), ...(await takeGradients(model))]
}

/** The gradients, which are zeros then. */
async function takeGradients({ device, weights }: { device: Device } & Pick<VideoModel, 'weights'>) {
  const found: Buffer[] = []
  for (const { gradients } of weights.slabs) {
    found.push(Buffer.from(await device.readBytes(gradients)))
    device.write(gradients, new Float32Array(gradients.shape[0]))
  }
  return found
}
