import type { Device } from '../../kernels/device/device.ts'
import {
  type Completion,
  generate,
  type PromptRequest,
  recordGeneration,
  writeCompletions,
} from '../../kernels/networks/generation/batch-writer.ts'
import { packFor } from '../../kernels/networks/packing.ts'
import { promptStates, type VideoModel } from '../../kernels/networks/video-model.ts'
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
    for (const line of await againstPlainPass(model, trained)) console.log(line)
    console.log(agreement(await firstTokens(model), await firstTokens(model)))
    const what = trained === 'full' ? 'trained weights' : 'frozen weights'
    yield* decodeSteps(model, what, { rounds, isProfiled })
    freeIdleRecordings(device, model.weights)
    model.weights.free()
  }
}

/** Tokens of a prompt: few where attention is computed as a whole matrix. */
export const promptLength = ({ device }: VideoModel): number => (device.units === 'none' ? 60 : 600)

/** 16 drawn tokens after each of 8 prompts, eight times, with their log-probabilities. */
async function firstTokens(model: VideoModel): Promise<Completion[]> {
  const { vocabulary } = model.shape.language
  const requests = Array.from({ length: 8 }, (_, i) => {
    const ids = tokens(promptLength(model), i + 1).map(id => id % vocabulary)
    return { ids, seeds: Array.from({ length: 8 }, (_, seed) => seed) }
  })
  const limits = { maxNewTokens: 16, endIds: [] }
  return (await writeCompletions(model, requests, sampling, limits)).flat()
}

/** The same tokens drawn twice must be alike, and so must their log-probabilities. */
function agreement(first: readonly Completion[], second: readonly Completion[]): string {
  let [same, all] = [0, 0]
  for (const [i, { ids, logProbs = [] }] of first.entries()) {
    all += ids.length
    ids.forEach((id, at) => {
      if (id === second[i]?.ids[at] && logProbs[at] === second[i]?.logProbs?.[at]) same++
    })
  }
  return `drawn twice: ${same} of ${all} tokens are alike, with their log-probabilities`
}

/**
 * The likeliest tokens by decode steps of 8 and of 64 sequences, which differ in their kernels, against the logits that one
 * plain pass over a prompt and its completion computes.
 */
async function againstPlainPass(model: VideoModel, trained: string): Promise<string[]> {
  const { vocabulary } = model.shape.language
  const [length, prompts] = [16, 2]
  const lines: string[] = []
  for (const count of [8, 64]) {
    const requests = Array.from({ length: prompts }, (_, i) => {
      const ids = tokens(promptLength(model), i + 1).map(id => id % vocabulary)
      return { ids, seeds: Array.from({ length: count / prompts }, (_, seed) => seed) }
    })
    const greedy = { ...sampling, greedy: true }
    const found = await generate(model, requests, greedy, { maxNewTokens: length, endIds: [] })
    let [same, behind] = [0, 0]
    for (const [i, { ids }] of requests.entries()) {
      const [completion = []] = found[i] ?? []
      const { logits } = await promptStates(model, { ids: [...ids, ...completion] })
      for (const [at, id] of completion.entries()) {
        const row = logits.subarray((ids.length + at - 1) * vocabulary, (ids.length + at) * vocabulary)
        const highest = row.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY)
        const gap = highest - (row[id] ?? Number.NaN)
        if (gap === 0) same++
        behind = Math.max(behind, gap)
      }
    }
    lines.push(
      `steps of ${count} sequences, trained: ${trained}: ${same} of ${prompts * length} likeliest tokens are those of a plain pass; the others are at most ${behind.toExponential(1)} below its highest logit`,
    )
  }
  return lines
}

/** Of a model that is frozen, in float16 or as integers, or trained, in float32. Floats are put into tiles for the steps. */
export async function* decodeSteps(
  model: VideoModel,
  what: string,
  { rounds, isProfiled }: { rounds: number; isProfiled: boolean },
): AsyncGenerator<Measurement> {
  const { vocabulary } = model.shape.language
  for (const [prompts, group] of [
    [1, 1],
    [1, 8],
    [8, 8],
  ]) {
    const requests = Array.from({ length: prompts }, (_, i) => {
      return {
        ids: tokens(promptLength(model), i + 1).map(id => id % vocabulary),
        seeds: Array.from({ length: group }, (_, s) => i * 100 + s),
      }
    })
    const write = (maxNewTokens: number) =>
      generate(model, requests, sampling, { maxNewTokens, endIds: [endId] })
    const few = await measure(rounds, () => write(short))
    const many = await measure(rounds, () => write(long))
    const seconds = many.map((whole, i) => (whole - few[i]) / (long - short))
    // Half of what is written lies before a step on average.
    const bytes = decodeBytes(model, prompts * (promptLength(model) + (group * (long + short)) / 2))
    const name = `decode step ${prompts} x ${group}, ${what}`
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
