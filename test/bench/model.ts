import { readFile } from 'node:fs/promises'
import type { Device } from '../../kernels/device.ts'
import { generate } from '../../kernels/networks/generator.ts'
import { adamWOptimizer } from '../../kernels/networks/optimizer.ts'
import { allocateParameters } from '../../kernels/networks/parameters.ts'
import { encodeFrames, forward, type VideoModel } from '../../kernels/networks/video-model.ts'
import { parseModelConfig } from '../../operators/model/config.ts'
import { shapeOf } from '../../operators/model/load-model.ts'
import { expectedTensors } from '../../operators/model/tensor-names.ts'
import { noise } from '../kernels/support.ts'
import { type Measurement, measure } from './measure.ts'
import { fillRandom } from './random-weights.ts'

const tokens = (count: number, seed: number): number[] =>
  Array.from(noise(count, seed), value => Math.floor((value / 2 + 0.5) * 150000))

/** Features of 16 frames. */
export async function* encode(device: Device, rounds: number): AsyncGenerator<Measurement> {
  const model = await released(device, false)
  const pixels = device.tensor('pixels', [16, 3, 384, 384], 'f32', noise(16 * 3 * 384 * 384))
  const run = async () => {
    device.freeTensor(await encodeFrames(model, pixels))
    await device.finish()
  }
  yield { name: 'encode 16 frames', seconds: await measure(rounds, run) }
  device.freeTensor(pixels)
  model.weights.free()
}

/** A prompt of 700 tokens up to one log-probability, the plan's recording included. */
export async function* prefill(device: Device, rounds: number): AsyncGenerator<Measurement> {
  const model = await released(device, false)
  const sequence = { ids: tokens(700, 1), completions: [[7]] }
  yield {
    name: 'prefill 700',
    seconds: await measure(rounds, async () => (await forward(model, [sequence], false)).free()),
  }
  model.weights.free()
}

/** A token of each sequence, sampling included: what 64 more tokens cost, divided by 64. */
export async function* decode(device: Device, rounds: number): AsyncGenerator<Measurement> {
  const model = await released(device, false)
  const sampling = { greedy: false, temperature: 1, topK: 50, topP: 1 }
  for (const [prompts, group] of [
    [1, 1],
    [1, 8],
    [8, 8],
  ]) {
    const requests = Array.from({ length: prompts }, (_, i) => {
      return { ids: tokens(600, i + 1), seeds: Array.from({ length: group }, (_, s) => i * 100 + s) }
    })
    const write = (maxNewTokens: number) =>
      generate(model, requests, sampling, { maxNewTokens, endIds: [151935] })
    const short = await measure(rounds, () => write(9))
    const long = await measure(rounds, () => write(73))
    const seconds = long.map((whole, i) => (whole - short[i]) / 64)
    yield { name: `decode step ${prompts} x ${group}`, seconds }
  }
  model.weights.free()
}

/** One update of 8 completions of 356 tokens behind a prompt of 600: reference, forward, backward, AdamW. */
export async function* update(device: Device, rounds: number): AsyncGenerator<Measurement> {
  const [policy, reference] = [await released(device, true), await released(device, false)]
  const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradientNorm: 1 }
  const optimizer = await adamWOptimizer(policy, options)
  const completions = Array.from({ length: 8 }, (_, i) => tokens(356, i + 10))
  const sequence = { ids: tokens(600, 1), completions }
  const run = async () => {
    const before = await forward(reference, [sequence], false)
    before.free()
    const pass = await forward(policy, [sequence], true)
    pass.backward(new Float32Array(8 * 356).map((_, i) => ((i % 2) - 0.5) / 100))
    const { applied } = await optimizer.step(1e-6)
    optimizer.clearGradients()
    pass.free()
    if (!applied) throw new Error('the gradient is not finite')
  }
  optimizer.clearGradients()
  yield { name: 'update 8x956', seconds: await measure(rounds, run) }
  console.error(`peak of GPU memory ${(device.peakBytes / 1e9).toFixed(1)} GB`)
  optimizer.free()
  for (const model of [policy, reference]) model.weights.free()
}

/** A model of the released sizes with random weights, in float16 where the device has matrix units. */
async function released(device: Device, trained: boolean): Promise<VideoModel> {
  const started = performance.now()
  const path = 'operators/model/configurations/released.json'
  const ids = { eosId: 151643, idOf: () => undefined }
  const config = parseModelConfig(path, JSON.parse(await readFile(path, 'utf8')), ids)
  const precision = device.units === 'none' ? 'float32' : 'float16'
  const isTrained = (name: string) => trained && !name.startsWith('vision_tower.')
  const weights = allocateParameters(device, expectedTensors(config), isTrained, precision)
  await fillRandom(device, weights)
  console.error(
    `set-up of ${trained ? 'a trained' : 'a frozen'} model ${((performance.now() - started) / 1000).toFixed(1)} s`,
  )
  return { device, shape: shapeOf(config), weights, precision, maxLength: config.maxLength }
}
