import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAnswer } from '../../operators/eval/parse-answer.ts'
import { advantagesOf, groupStatistics } from '../../operators/grpo/estimators.ts'
import { grpoLoss } from '../../operators/grpo/loss.ts'
import { openTokenizer } from '../../operators/model/checkpoint/tokenizer.ts'
import { openSafetensors, readTensor, type SafetensorsFile } from '../../operators/model/files/safetensors.ts'
import { accuracyReward } from '../../operators/reward/accuracy.ts'
import { combineRewards } from '../../operators/reward/combine.ts'
import { formatReward } from '../../operators/reward/format.ts'
import { renderConversation, renderPrompt, templates } from '../../operators/text/template.ts'
import { tokenize, tokenizeWithLabels } from '../../operators/text/tokenize.ts'
import { evenlySpaced, segmentMiddles } from '../../operators/video/frame-indices.ts'
import { lossOptions } from '../operators/grpo/loss-options.ts'
import { differences, largestError, type Row, row } from './row.ts'

/** The layout of `text.json`; a file may hold some of the parts only. */
export interface TextCases {
  rewards?: { completion: string; solution: string; accuracy: number; format: number; reward: number }[]
  parsers?: Record<string, { response: string; parsed: string | null }[]>
  frame_indices?: {
    linspace?: { total: number; n: number; indices: number[] }[]
    mvbench_bound?: {
      bound: [number, number] | null
      fps: number
      max_frame: number
      num_frames: number
      first_idx: number
      indices: number[]
    }[]
  }
}

/** Rewards, answer parsers and frame indices of a folder with `text.json`: every case must be equal. */
export async function checkText(folder: string): Promise<Row[]> {
  return checkTextCases(await readJson<TextCases>(join(folder, 'text.json')))
}

export function checkTextCases({
  rewards = [],
  parsers = {},
  frame_indices: indices = {},
}: TextCases): Row[] {
  const scores = rewards.map(({ completion, solution }) => {
    const accuracy = accuracyReward(completion, solution)
    const format = formatReward(completion, published)
    return { accuracy, format, reward: combineRewards(accuracy, format, published) }
  })
  const names = ['accuracy', 'format', 'reward'] as const
  const { linspace = [], mvbench_bound: segments = [] } = indices
  const wrongLinspace = linspace.filter(({ total, n, indices }) =>
    differences(evenlySpaced(total, n), indices),
  )
  const wrongSegments = segments.filter(
    ({ bound, fps, max_frame: last, num_frames: count, first_idx: first, indices }) => {
      const rule = { count, framesPerSecond: fps, first, last, bounds: bound ?? undefined }
      return differences(segmentMiddles(rule), indices)
    },
  )
  return [
    ...names.map(name => row(`rewards.${name}`, differences(scores.map(at(name)), rewards.map(at(name))), 0)),
    ...Object.entries(parsers).map(([name, cases]) => {
      const wrong = cases.filter(({ response, parsed }) => parsedAs(response) !== (parsed ?? 'None'))
      return row(`parsers.${name}`, wrong.length, 0)
    }),
    row('frame_indices.linspace', wrongLinspace.length, 0),
    row('frame_indices.mvbench_bound', wrongSegments.length, 0),
  ]
}

/** The parts of `expected.json` that are computed without a model. */
interface Expected {
  prompt?: { question: string; text: string; ids: number[] }
  plain?: { text: string; ids: number[] }
  sft?: { question: string; answer: string; text: string; ids: number[]; labels: number[] }
  grpo?: {
    accuracy: number[]
    format: number[]
    rewards: number[]
    advantages: number[]
    reward_std: number
    beta: number
    loss: number
    kl: number
    completion_length: number
    clipped_token_mean?: {
      beta: number
      clip_low: number
      clip_high: number
      loss: number
      clip_ratio: number
    }
  }
}

/** Texts, ids, labels, rewards, advantages and host-side losses of a checkpoint folder with `expected.json`. */
export async function checkPrompts(folder: string): Promise<Row[]> {
  const { prompt, plain, sft, grpo } = await readJson<Expected>(join(folder, 'expected.json'))
  const tokenizer = await openTokenizer(folder)
  const template = templates.qwen2_base
  const rows: Row[] = []
  if (prompt) {
    const text = renderPrompt(template, prompt.question)
    rows.push(row('prompt.text', text === prompt.text ? 0 : 1, 0))
    rows.push(row('prompt.ids', differences(tokenize(tokenizer, text), prompt.ids), 0))
  }
  if (plain) rows.push(row('plain.ids', differences(tokenize(tokenizer, plain.text), plain.ids), 0))
  if (sft) {
    const messages = [
      { from: 'human', value: sft.question },
      { from: 'gpt', value: sft.answer },
    ]
    const text = renderConversation(template, messages)
    const { ids, labels } = tokenizeWithLabels(tokenizer, template, text, folder)
    rows.push(row('sft.text', text === sft.text ? 0 : 1, 0))
    rows.push(row('sft.ids', differences(ids, sft.ids), 0))
    rows.push(row('sft.labels', differences(labels, sft.labels), 0))
  }
  if (grpo) rows.push(...checkAdvantages(grpo), ...(await checkLosses(folder, grpo)))
  return rows
}

function checkAdvantages({
  accuracy,
  format,
  rewards,
  advantages,
  reward_std: std,
}: Required<Expected>['grpo']): Row[] {
  const combined = accuracy.map((right, i) => combineRewards(right, format[i] ?? Number.NaN, published))
  const estimator = { baseline: 'mean', scale: 'group', deviation: 'unbiased', epsilon: 1e-4 } as const
  const [found] = advantagesOf([{ rewards, lengths: [] }], estimator)
  return [
    row('grpo.rewards', largestError(combined, rewards), 1e-12),
    row('grpo.advantages', largestError(found, advantages), 1e-12),
    row('grpo.reward_std', largestError([groupStatistics(rewards).standardDeviation], [std]), 1e-12),
  ]
}

/** The losses from the stored log-probabilities: what the update computes on the host. */
async function checkLosses(folder: string, expected: Required<Expected>['grpo']): Promise<Row[]> {
  const file = await openSafetensors(join(folder, 'expected.safetensors'))
  const [policy, old, reference, mask] = await Promise.all(
    ['grpo.logps', 'grpo.old_logps', 'grpo.ref_logps', 'grpo.mask'].map(name => readRows(file, name)),
  )
  if (!policy || !old || !reference || !mask) return []
  const { advantages, beta, clipped_token_mean: clipped } = expected
  const batch = { policy, old: null, reference, advantages, mask }
  const found = grpoLoss(batch, lossOptions({ beta }))
  const rows = [
    row('grpo.loss from logps', largestError([found.loss], [expected.loss]), 1e-5),
    row('grpo.kl from logps', largestError([found.metrics.kl], [expected.kl]), 1e-5),
    row(
      'grpo.completion_length',
      largestError([found.metrics.completionLength], [expected.completion_length]),
      1e-12,
    ),
  ]
  if (!clipped) return rows
  const clip = { surrogate: 'clip', clipLow: clipped.clip_low, clipHigh: clipped.clip_high } as const
  const options = lossOptions({ ...clip, beta: clipped.beta, aggregation: 'token-mean' })
  const { loss, metrics } = grpoLoss({ ...batch, old }, options)
  rows.push(row('grpo.clipped_token_mean.loss from logps', largestError([loss], [clipped.loss]), 1e-5))
  rows.push(
    row('grpo.clipped_token_mean.clip_ratio', largestError([metrics.clipRatio], [clipped.clip_ratio]), 1e-12),
  )
  return rows
}

/** A matrix as its rows; undefined when the file does not hold it. */
async function readRows(file: SafetensorsFile, name: string): Promise<Float32Array[] | undefined> {
  const [rows = 0, columns = 0] = file.tensors.get(name)?.shape ?? []
  if (rows === 0) return undefined
  const values: number[] = []
  for await (const chunk of readTensor(file, name)) values.push(...chunk)
  return Array.from({ length: rows }, (_, i) =>
    Float32Array.from(values.slice(i * columns, (i + 1) * columns)),
  )
}

/** The released constants. */
const published = {
  baseline: 0.5,
  lengthBonus: 0.5,
  lengthCap: 1200,
  rule: 'code',
  zeroReplacement: -2,
} as const

/** In the words of `text.json`; its cases have four options. */
function parsedAs(response: string): string {
  const answer = parseAnswer(response, ['A', 'B', 'C', 'D'])
  if ('letter' in answer) return answer.letter
  return 'random' in answer ? 'RANDOM' : 'None'
}

const at =
  <K extends PropertyKey>(key: K) =>
  <V>(record: Record<K, V>): V =>
    record[key]

// The cast states what golden/README.md promises; a wrong layout shows as a failed row.
const readJson = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, 'utf8')) as T
