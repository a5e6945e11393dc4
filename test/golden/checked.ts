import type { LoadedModel } from '../../operators/model/checkpoint/load-model.ts'
import type { Bounds } from './bounds.ts'
import type { Expected } from './expected.ts'
import { type Row, relativeError, row } from './row.ts'

/** Of float16 gradients; small ones would vanish. */
export const lossScale = 1024

/** A checkpoint folder with its recorded numbers. */
export interface Checked {
  json: ExpectedJson
  expected: Expected
  bounds: Bounds
  /** Of the logits after the prompt. */
  largestLogit: number
}

export interface ExpectedJson {
  prompt: { ids: number[] }
  greedy: number[]
  plain: { ids: number[] }
  sft: {
    ids: number[]
    labels: number[]
    loss: number
    grad_norm: number
    adamw: {
      lr: number
      betas: [number, number]
      eps: number
      weight_decay: number
      clip: number
      losses: number[]
      loss_after: number
    }
  }
  grpo: {
    completions: number[][]
    beta: number
    rewards: number[]
    advantages: number[]
    reward_std: number
    loss: number
    kl: number
    completion_length: number
    grad_norm: number
    clipped_token_mean: {
      beta: number
      clip_low: number
      clip_high: number
      loss: number
      grad_norm: number
      clip_ratio: number
    }
  }
  norms: Record<string, number>
}

export async function gradientRows(
  model: LoadedModel,
  { json, expected }: Checked,
  prefix: string,
  bounds: Pick<Bounds, 'gradients' | 'norms'>,
): Promise<Row[]> {
  const rows: Row[] = []
  const scale = model.weights.lossScale ? lossScale : 1
  for (const name of expected.names(prefix)) {
    const { gradient } = parameterOf(model, name, prefix)
    if (!gradient) {
      rows.push(row(`${name} is not trained`, 1, 0))
      continue
    }
    const values = (await model.device.read(gradient)).map(value => value / scale)
    rows.push(await near(expected, name, values, bounds.gradients))
    rows.push(normRow(json, name, values, bounds.norms))
  }
  return rows
}

export function normRow({ norms }: ExpectedJson, name: string, values: Float32Array, bound: number): Row {
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0))
  return row(`|${name}|`, relativeError([norm], [norms[name]]), bound)
}

export function parameterOf(model: LoadedModel, name: string, prefix: string) {
  const parameter = model.weights.byName.get(name.slice(prefix.length))
  if (!parameter) throw new Error(`expected.safetensors: ${name} names no parameter of the model`)
  return parameter
}

/** Where fewer values are stored than computed, the first ones are compared. */
export async function near(
  expected: Expected,
  name: string,
  found: Float32Array,
  bound: number,
): Promise<Row> {
  const values = await expected.read(name)
  return row(name, relativeError(found.subarray(0, values.length), values), bound)
}

export const largest = (values: Float32Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
