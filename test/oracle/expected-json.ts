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
    accuracy: number[]
    format: number[]
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
