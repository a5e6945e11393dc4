/** Log-probabilities and mask by sequence and token; all sequences of the step, or a part of them. */
export interface LossBatch {
  policy: readonly ArrayLike<number>[]
  /** Of the policy that wrote the completions; null when it is the policy itself: the ratio is then 1 with its gradient. */
  old: readonly ArrayLike<number>[] | null
  /** Null when there is no reference model; the KL weight must then be 0. */
  reference: readonly ArrayLike<number>[] | null
  /** One for each sequence. */
  advantages: readonly number[]
  /** 1 for tokens that count, up to and including the end of text, else 0. */
  mask: readonly ArrayLike<number>[]
}

export interface LossOptions {
  /** Weight of the KL divergence from the reference. */
  beta: number
  /** The KL of a token is cut to ± this; a cut token has no KL gradient. */
  klClamp: number
  /** The ratio's gain ends at 1 − low and 1 + high; null: it has no bounds. */
  clip: { low: number; high: number } | null
  aggregation: Aggregation
  /** Counts of the whole step, when the batch is a part of it: losses and derivatives of the parts then add up. */
  step?: { sequences: number; tokens: number }
}

/**
 * How token losses become one number: the mean over sequences of each one's mean over its tokens; the mean over all
 * tokens; or the mean over sequences of each one's sum divided by a fixed length (1 leaves the sum).
 */
export type Aggregation = 'sequence-mean' | 'token-mean' | { fixedLength: number }

export interface Loss {
  loss: number
  /** Derivative of the loss with respect to each policy log-probability; 0 where the mask is. */
  dLogProbs: Float64Array[]
}

export interface GrpoMetrics {
  /** Mean over sequences of each one's mean KL over its tokens; 0 without a reference. */
  kl: number
  /** Share of tokens whose ratio went past the bound that its advantage pushes it to. */
  clipRatio: number
  /** Mean number of tokens that count in a sequence. */
  completionLength: number
}

/**
 * The GRPO loss with its derivative, in float64. For every token: −min(ρA, clip(ρ)A) + β·k with ρ = exp(policy − old)
 * and k = exp(reference − policy) − (reference − policy) − 1 (Specification 5.8; "k3").
 */
export function grpoLoss(batch: LossBatch, options: LossOptions): Loss & { metrics: GrpoMetrics } {
  checkBatch(batch, options)
  const lengths = batch.mask.map(row => sum(row))
  const sequences = batch.policy.length
  const tokens = lengths.reduce((total, length) => total + length, 0)
  const step = options.step ?? { sequences, tokens }
  const metrics = { kl: 0, clipRatio: 0, completionLength: tokens / sequences }
  let loss = 0
  const dLogProbs = batch.policy.map((row, i) => {
    const length = Math.max(lengths[i] ?? 0, 1)
    const weight = tokenWeight(options.aggregation, length, step)
    return Float64Array.from({ length: row.length }, (_, t) => {
      if (!batch.mask[i]?.[t]) return 0
      const token = tokenLoss(batch, options, i, t)
      loss += weight * token.loss
      metrics.kl += token.kl / length / sequences
      metrics.clipRatio += token.clipped ? 1 / tokens : 0
      return weight * token.derivative
    })
  })
  return { loss, dLogProbs, metrics }
}

function tokenLoss(
  { policy, old, reference, advantages }: LossBatch,
  options: LossOptions,
  i: number,
  t: number,
) {
  const logProb = policy[i]?.[t] ?? 0
  const gain = clippedGain(Math.exp(old ? logProb - (old[i]?.[t] ?? 0) : 0), advantages[i] ?? 0, options.clip)
  const kl = reference
    ? clampedKl((reference[i]?.[t] ?? 0) - logProb, options.klClamp)
    : { value: 0, slope: 0 }
  return {
    loss: -gain.value + options.beta * kl.value,
    derivative: -gain.slope + options.beta * kl.slope,
    kl: kl.value,
    clipped: gain.clipped,
  }
}

/** min(ρA, clip(ρ)A) and its slope along log ρ, which is 0 where the clipped product is the smaller. */
function clippedGain(ratio: number, advantage: number, clip: LossOptions['clip']) {
  const free = ratio * advantage
  const bounded = clip ? Math.min(Math.max(ratio, 1 - clip.low), 1 + clip.high) * advantage : free
  return bounded < free
    ? { value: bounded, slope: 0, clipped: true }
    : { value: free, slope: free, clipped: false }
}

/** k3 of x = reference − policy, and its slope along the policy's log-probability. */
function clampedKl(x: number, bound: number) {
  const value = Math.exp(x) - x - 1
  if (Math.abs(value) > bound) return { value: Math.sign(value) * bound, slope: 0 }
  return { value, slope: 1 - Math.exp(x) }
}

function tokenWeight(
  aggregation: Aggregation,
  length: number,
  step: { sequences: number; tokens: number },
): number {
  if (aggregation === 'token-mean') return 1 / Math.max(step.tokens, 1)
  return 1 / step.sequences / (aggregation === 'sequence-mean' ? length : aggregation.fixedLength)
}

/** Shapes come from this program, so a mismatch is a fault of the caller. */
function checkBatch({ policy, old, reference, advantages, mask }: LossBatch, { beta }: LossOptions): void {
  if (policy.length === 0) throw new Error('grpoLoss: a batch needs at least one sequence, got none')
  if (beta !== 0 && !reference)
    throw new Error(`grpoLoss: beta ${beta} needs reference log-probabilities, got null`)
  if (advantages.length !== policy.length) {
    throw new Error(`grpoLoss advantages: expected ${policy.length}, got ${advantages.length}`)
  }
  for (const [name, rows] of Object.entries({ mask, old, reference })) {
    if (!rows) continue
    const expected = policy.map(row => row.length).join(', ')
    const found = rows.map(row => row.length).join(', ')
    if (found !== expected)
      throw new Error(`grpoLoss ${name}: expected rows of (${expected}) tokens, got (${found})`)
  }
}

function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i] ?? 0
  return total
}
