import type { Device } from '../../kernels/device/device.ts'
import {
  generate,
  type PromptRequest,
  recordGeneration,
} from '../../kernels/networks/generation/batch-writer.ts'
import { packFor } from '../../kernels/networks/packing.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { freeIdleRecordings } from '../../kernels/plan/reuse.ts'
import { decodeBytes } from './floors.ts'
import { type BenchOptions, type Measurement, measure } from './measure.ts'
import { profile, profileLines } from './profile.ts'
import { randomModel, tokens } from './released.ts'

const sampling = { greedy: false, temperature: 1, topK: 50, topP: 1 }
const endId = 151935
const [short, long] = [9, 137]

/** A token of each sequence, sampling included: what 128 more tokens cost, divided by 128. */
export async function* decode(
  device: Device,
  { rounds, config, profile: isProfiled }: BenchOptions,
): AsyncGenerator<Measurement> {
  for (const trained of ['none', 'full'] as const) {
    const model = await randomModel(device, trained, config)
    yield* decodeSteps(model, trained, { rounds, isProfiled })
    freeIdleRecordings(device, model.weights)
    model.weights.free()
  }
}

/** Of a model that is frozen, or trained: its weights are then in float32, and are put into tiles for the steps. */
async function* decodeSteps(
  model: VideoModel,
  trained: 'none' | 'full',
  { rounds, isProfiled }: { rounds: number; isProfiled: boolean },
): AsyncGenerator<Measurement> {
  for (const [prompts, group] of [
    [1, 1],
    [1, 8],
    [8, 8],
  ]) {
    const requests = Array.from({ length: prompts }, (_, i) => {
      return { ids: tokens(600, i + 1), seeds: Array.from({ length: group }, (_, s) => i * 100 + s) }
    })
    const write = (maxNewTokens: number) =>
      generate(model, requests, sampling, { maxNewTokens, endIds: [endId] })
    const few = await measure(rounds, () => write(short))
    const many = await measure(rounds, () => write(long))
    const seconds = many.map((whole, i) => (whole - few[i]) / (long - short))
    // Half of what is written lies before a step on average.
    const bytes = decodeBytes(model, prompts * (600 + (group * (long + short)) / 2))
    const name = `decode step ${prompts} x ${group}${trained === 'full' ? ', trained weights' : ''}`
    yield { name, seconds, bytes }
    if (isProfiled) for (const line of await kernels(model, requests)) console.log(line)
  }
}

/** Where the time of a step goes, and what the host spends on it. */
async function kernels(model: VideoModel, requests: readonly PromptRequest[]): Promise<string[]> {
  const { device, precision } = model
  const recording = new Recording(device, precision)
  recordGeneration(recording, model, {
    requests,
    packed: packFor(model, requests),
    sampling,
    capacity: long,
    endId,
  })
  const compiled = await compile(device, recording, 'generation')
  const steps = (count: number) => compiled.run(Array.from({ length: count }, () => 'step'))
  compiled.run(['main'])
  steps(64)
  await device.finish()
  const started = performance.now()
  steps(8)
  const encoding = (performance.now() - started) / 8
  await device.finish()
  const times = await profile(device, () => steps(1))
  compiled.free()
  return [
    `  the host encodes a step in ${encoding.toFixed(2)} ms; dispatches one at a time:`,
    ...profileLines(times),
  ]
}
