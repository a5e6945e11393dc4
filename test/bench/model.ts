import type { Device } from '../../kernels/device/device.ts'
import { withoutAdapters } from '../../kernels/networks/adapters.ts'
import { adamWOptimizer } from '../../kernels/networks/training/optimizer.ts'
import { encodeFrames, forward } from '../../kernels/networks/video-model.ts'
import { noise } from '../kernels/support.ts'
import { encodeFlops, languageFlops } from './floors.ts'
import { type BenchOptions, type Measurement, measure } from './measure.ts'
import { profile, profileLines } from './profile.ts'
import { randomModel, tokens } from './released.ts'

/** Features of 16 frames. */
export async function* encode(
  device: Device,
  { rounds, config, profile: isProfiled }: BenchOptions,
): AsyncGenerator<Measurement> {
  const model = await randomModel(device, 'none', config)
  const pixels = device.tensor('pixels', [16, 3, 384, 384], 'f32', noise(16 * 3 * 384 * 384))
  const run = async () => {
    device.freeTensor(await encodeFrames(model, pixels))
    await device.finish()
  }
  yield {
    name: 'encode 16 frames',
    seconds: await measure(rounds, run),
    flops: encodeFlops(model, 16),
  }
  if (isProfiled) await printProfile(device, run)
  device.freeTensor(pixels)
  model.weights.free()
}

/** A prompt of 700 tokens up to one log-probability, the plan's recording included. */
export async function* prefill(
  device: Device,
  { rounds, config, profile: isProfiled }: BenchOptions,
): AsyncGenerator<Measurement> {
  const model = await randomModel(device, 'none', config)
  const sequence = { ids: tokens(700, 1), completions: [[7]] }
  const run = async () => (await forward(model, [sequence], false)).free()
  yield {
    name: 'prefill 700',
    seconds: await measure(rounds, run),
    flops: languageFlops(model, 700, 350, 1),
  }
  if (isProfiled) await printProfile(device, run)
  model.weights.free()
}

/**
 * One update of 8 completions of 356 tokens after a prompt of 600: reference, forward, backward, AdamW. With `lora` of adapters on
 * a frozen model, which is its own reference.
 */
export async function* update(
  device: Device,
  { rounds, config, lora, recompute, profile: isProfiled }: BenchOptions,
): AsyncGenerator<Measurement> {
  const policy = { ...(await randomModel(device, lora ? 'lora' : 'full', config)), recompute }
  const reference = lora
    ? { ...policy, weights: withoutAdapters(policy.weights) }
    : await randomModel(device, 'none', config)
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
  // One forward of the reference; forward and twice as much backward of the policy.
  const flops = 4 * languageFlops(policy, 600 + 8 * 355, 650, 8 * 356)
  yield {
    name: `update 8x956${lora ? ', adapters' : ''}`,
    seconds: await measure(rounds, run),
    ...(!lora && { flops }),
    peakBytes: device.peakBytes,
  }
  if (isProfiled) await printProfile(device, run)
  optimizer.free()
  policy.weights.free()
  if (!lora) reference.weights.free()
}

async function printProfile(device: Device, run: () => Promise<unknown>): Promise<void> {
  for (const line of profileLines(await profile(device, run))) console.log(line)
}
