import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { openExpected } from '../golden/expected.ts'
import { differences, largestError, type Row, relativeError, row } from '../golden/row.ts'
import type { ExpectedJson } from './expected-json.ts'
import { type Given, quantities } from './quantities.ts'

// The given numbers are float64 but for the parts that the published code computes in float32 (rotation angles, RMS
// norms, softmax). Three AdamW steps divide gradients by their own size, which lets near-zero ones differ; the KL is
// the square of a difference.
const bounds = { values: 1e-6, gradients: 2e-6, updated: 1e-4, kl: 5e-5 }

/** Computes every number of a golden folder with the oracle; errors as in the golden report. */
export async function agreement(folder: string): Promise<Row[]> {
  const json: ExpectedJson = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
  const expected = await openExpected(join(folder, 'expected.safetensors'))
  const values = async (name: string): Promise<Float64Array> => Float64Array.from(await expected.read(name))
  const old = await values('grpo.old_logps')
  const width = json.grpo.completions[0].length
  const prefix = 'grpo.policy.'
  const policy = new Map<string, Float64Array>()
  for (const name of expected.names(prefix)) policy.set(name.slice(prefix.length), await values(name))
  const given: Given = {
    frames: await values('frames'),
    prompt: json.prompt.ids,
    plain: json.plain.ids,
    sft: { ...json.sft, steps: json.sft.adamw.losses.length },
    grpo: {
      ...json.grpo,
      clipped: json.grpo.clipped_token_mean,
      policy,
      old: rows => rows.map((_, i) => old.subarray(i * width, (i + 1) * width)),
    },
    samplings: expected.names('sampling.'),
  }
  const found = await quantities(await openCheckpoint(folder), given)
  const rows = [row('greedy ids that differ', differences(found.greedy, json.greedy), 0)]
  for (const [name, { data }] of found.tensors) {
    // Where fewer values are stored than computed, the first ones are compared.
    const wanted = await expected.read(name)
    const bound = boundOf(name)
    rows.push(row(name, relativeError(data.subarray(0, wanted.length), wanted), bound))
    const norm = json.norms[name]
    if (norm !== undefined) {
      const computed = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))
      rows.push(row(`|${name}|`, relativeError([computed], [norm]), bound))
    }
  }
  const { losses, loss_after, ...sft } = found.sft
  const { advantages, clipped_token_mean, ...grpo } = found.grpo
  const compare = (name: string, computed: readonly number[], wanted: readonly number[]): void => {
    rows.push(row(name, largestError(computed, wanted), bounds.values))
  }
  for (const key of ['loss', 'grad_norm'] as const) compare(`sft.${key}`, [sft[key]], [json.sft[key]])
  compare('sft.adamw.losses', losses, json.sft.adamw.losses)
  compare('sft.adamw.loss_after', [loss_after], [json.sft.adamw.loss_after])
  compare('grpo.advantages', advantages, json.grpo.advantages)
  for (const key of ['reward_std', 'loss', 'kl', 'completion_length', 'grad_norm'] as const)
    compare(`grpo.${key}`, [grpo[key]], [json.grpo[key]])
  for (const key of ['loss', 'grad_norm', 'clip_ratio'] as const)
    compare(`grpo.clipped_token_mean.${key}`, [clipped_token_mean[key]], [json.grpo.clipped_token_mean[key]])
  const unread = expected.unread()
  return [...rows, row(`expected tensors not computed: ${unread.join(', ') || 'none'}`, unread.length, 0)]
}

function boundOf(name: string): number {
  if (name.startsWith('sft.step3.')) return bounds.updated
  if (/^(sft|grpo)\.grad\./.test(name)) return bounds.gradients
  return name === 'grpo.per_token_kl' ? bounds.kl : bounds.values
}
