/** What one group contributes, by completion and token. */
export interface Group {
  policy: readonly ArrayLike<number>[]
  reference: readonly ArrayLike<number>[]
  /** Of the policy that wrote the completions; null: it is the policy itself. */
  old: readonly ArrayLike<number>[] | null
  mask: readonly ArrayLike<number>[]
  advantages: readonly number[]
}

export interface GroupLoss {
  loss: number
  /** Derivative of the loss with respect to each log-probability of the policy. */
  derivative: Float64Array[]
  perTokenKl: number[][]
  kl: number
  completionLength: number
  clipRatio: number
}

/** Reward's distance from the group's mean in unbiased standard deviations (+1e-4). */
export function advantagesOf(rewards: readonly number[]): {
  advantages: number[]
  standardDeviation: number
} {
  const mean = rewards.reduce((sum, r) => sum + r, 0) / rewards.length
  const variance = rewards.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (rewards.length - 1)
  const standardDeviation = Math.sqrt(variance)
  return { advantages: rewards.map(r => (r - mean) / (standardDeviation + 1e-4)), standardDeviation }
}

/** 1 up to and including the first end of text, 0 after it. */
export function completionMask(completion: readonly number[], endId: number): Float64Array {
  const end = completion.indexOf(endId)
  return Float64Array.from(completion, (_, t) => (end < 0 || t <= end ? 1 : 0))
}

/**
 * −min(ratio·A, clip(ratio)·A) + beta·k3 for every token, k3 within ±100. Without `clip` it is the published loss: the
 * mean over completions of each one's mean over its tokens. With it, the mean over all tokens of the group.
 */
export function groupLoss(
  group: Group,
  { beta, clip }: { beta: number; clip: readonly [low: number, high: number] | null },
): GroupLoss {
  const lengths = group.mask.map(row => Array.from(row).reduce((sum, m) => sum + m, 0))
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const sequences = lengths.length
  let [loss, kl, clipped] = [0, 0, 0]
  const perTokenKl: number[][] = []
  const derivative = group.policy.map((row, i) => {
    perTokenKl.push([])
    return Float64Array.from(row, (logProb, t) => {
      const x = group.reference[i][t] - logProb
      const divergence = Math.min(100, Math.max(-100, Math.exp(x) - x - 1))
      const divergenceSlope = Math.exp(x) - x - 1 > 100 ? 0 : 1 - Math.exp(x)
      perTokenKl[i].push(divergence)
      const ratio = Math.exp(logProb - (group.old ? group.old[i][t] : logProb))
      const bounded = clip ? Math.min(1 + clip[1], Math.max(1 - clip[0], ratio)) : ratio
      const advantage = group.advantages[i]
      const isClipped = bounded * advantage < ratio * advantage
      const mask = group.mask[i][t]
      const weight = mask / (clip ? tokens : lengths[i] * sequences)
      loss += weight * (beta * divergence - Math.min(ratio * advantage, bounded * advantage))
      kl += (mask * divergence) / lengths[i] / sequences
      clipped += isClipped ? mask : 0
      return weight * (beta * divergenceSlope - (isClipped ? 0 : ratio * advantage))
    })
  })
  return {
    loss,
    derivative,
    perTokenKl,
    kl,
    completionLength: tokens / sequences,
    clipRatio: clipped / tokens,
  }
}
