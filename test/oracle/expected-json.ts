import type { AdamWOptions } from './adamw.ts'

/** The layout of a golden folder's expected.json. */
export interface ExpectedJson {
  /** The model's sizes; for readers, not for programs. */
  case: Record<string, unknown>
  prompt: { question: string; text: string; ids: number[] }
  greedy: number[]
  plain: { text: string; ids: number[] }
  sft: {
    question: string
    answer: string
    text: string
    ids: number[]
    labels: number[]
    loss: number
    grad_norm: number
    adamw: AdamWOptions & {
      losses: number[]
      loss_after: number
    }
  }
  grpo: {
    completions: readonly (readonly number[])[]
    beta: number
    accuracy: readonly number[]
    format: readonly number[]
    rewards: readonly number[]
    advantages: readonly number[]
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
