import type { Loss } from '../grpo/loss.ts'

/**
 * Mean cross-entropy, in float64: minus the mean log-probability of the supervised tokens, given by sequence.
 * `stepTokens` is the number of tokens of the whole update if the sequences are a part of it: losses and derivatives of
 * the parts then add up. Without any token the loss is 0.
 */
export function sftLoss(logProbs: readonly ArrayLike<number>[], stepTokens?: number): Loss {
  const tokens = stepTokens ?? logProbs.reduce((total, row) => total + row.length, 0)
  let loss = 0
  const dLogProbs = logProbs.map(row =>
    Float64Array.from(row, logProb => {
      loss -= logProb / tokens
      return -1 / tokens
    }),
  )
  return { loss, dLogProbs }
}
