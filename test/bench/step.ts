import type { Config } from '../../engine/operator.ts'
import type { Device } from '../../kernels/device/device.ts'
import { withoutAdapters } from '../../kernels/networks/adapters.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import { imagePlaceholderId } from '../../kernels/networks/packing.ts'
import { featuresOf } from '../../kernels/networks/shape.ts'
import { adamWOptimizer } from '../../kernels/networks/training/optimizer.ts'
import { encodeFrames, type VideoModel } from '../../kernels/networks/video-model.ts'
import { prepare } from '../../operators/grpo/prepare.ts'
import { updateOnce } from '../../operators/grpo/train.ts'
import grpoUpdate from '../../operators/grpo/update.ts'
import type { Group } from '../../operators/kinds.ts'
import type { FrozenOptions } from '../../operators/model/checkpoint/frozen-weights.ts'
import { noise } from '../kernels/support.ts'
import { type Busy, busyMeter, busyText, sumOf } from './gpu-busy.ts'
import type { BenchOptions, Measurement } from './measure.ts'
import { randomModel } from './released.ts'

const [frames, group, length, promptRows] = [16, 8, 360, 600]

/**
 * A whole GRPO step of one prompt: encode, generate, reference, update, each of them and together; decoding of the clip
 * is left out, rewards are made up. With `lora` adapters are trained on a frozen model, which is its own reference.
 */
export async function* step(
  device: Device,
  { rounds, config, lora, recompute }: BenchOptions,
  frozen?: FrozenOptions,
): AsyncGenerator<Measurement> {
  const policy = { ...(await randomModel(device, lora ? 'lora' : 'full', config, frozen)), recompute }
  const reference: VideoModel = lora
    ? { ...policy, weights: withoutAdapters(policy.weights) }
    : await randomModel(device, 'none', config, frozen)
  const rates = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradientNorm: 1 }
  const optimizer = Object.assign(await adamWOptimizer(policy, rates), {
    learningRate: () => 1e-6,
    peakLearningRate: 1e-6,
    totalSteps: 1,
  })
  optimizer.clearGradients()
  const { imageSize, channels } = policy.shape.vision
  const shape = [frames, channels, imageSize, imageSize]
  const pixels = device.tensor('pixels', shape, 'f32', noise(shape.reduce((a, b) => a * b)))
  const vocabulary = policy.shape.language.vocabulary
  const visual = policy.shape.connector.visualTokens(featuresOf(policy.shape.vision, frames))
  const text = Math.max(2, promptRows - visual)
  const ids = Array.from(noise(text, 1), value => Math.floor((value / 2 + 0.5) * (vocabulary - 1)))
  ids[10 % text] = imagePlaceholderId
  const sampling = { greedy: false, temperature: 1, topK: 50, topP: 1 }

  const phases = ['encode', 'generate', 'reference', 'update', 'whole step'] as const
  const seconds = new Map(phases.map(name => [name, [] as number[]]))
  const meter = busyMeter(device)
  for (let round = -2; round < rounds; round++) {
    const laps: Busy[] = []
    const lap = async (name: (typeof phases)[number]) => {
      const busy = name === 'whole step' ? sumOf(laps) : await meter.lap()
      laps.push(busy)
      console.error(
        `${round < 0 ? 'warm-up' : `round ${round}`}: ${name} ${busy.seconds.toFixed(3)} s, ${busyText(busy)}`,
      )
      if (round >= 0) seconds.get(name)?.push(busy.seconds)
    }
    const features = await encodeFrames(policy, pixels)
    await device.finish()
    await lap('encode')
    const seeds = Array.from({ length: group }, (_, i) => round * group + i + 100)
    const limits = { maxNewTokens: length, endIds: [vocabulary - 1] }
    const [rows] = await generate(policy, [{ ids, features, seeds }], sampling, limits)
    await lap('generate')
    const part = await prepare(groupOf(ids, features, rows), policy, reference, updateConfig)
    await part.rows.reference
    await lap('reference')
    await updateOnce([part], policy, optimizer, updateConfig)
    device.freeTensor(features)
    await device.finish()
    await lap('update')
    await lap('whole step')
  }
  for (const [name, times] of seconds)
    yield {
      name: `${name}, ${lora ? 'adapters' : 'full training'}, recompute ${recompute}`,
      seconds: times,
      ...(name === 'whole step' && { peakBytes: device.peakBytes }),
    }
  meter.stop()
  optimizer.free()
  device.freeTensor(pixels)
  policy.weights.free()
  if (!lora) reference.weights.free()
}

function groupOf(ids: readonly number[], features: Group['prompt']['features'], rows: number[][]): Group {
  const completions = rows.map((row, i) => {
    return { ids: row, text: '', finished: false, advantage: i % 2 ? 1 : -1 }
  })
  const sample = { video: '', question: '', fields: {} }
  return { prompt: { sample, text: '', ids, features }, completions, policyVersion: 0, generateSeconds: 0 }
}

type UpdateConfig = Config<typeof grpoUpdate.config>

/** What the engine makes of a config with the names of resources only. */
const updateConfig: UpdateConfig = Object.fromEntries(
  Object.entries(grpoUpdate.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as object as UpdateConfig // every field but those names has a default
