import { importanceWeights, isOnPolicy } from './importance.ts'
import { tokenKl } from './kl.ts'
import type { LossBatch, LossOptions } from './loss.ts'
import { logRatios } from './ratio.ts'
import { policyTerm } from './surrogate.ts'

/** Sums over the tokens of one sequence that count. */
export interface SequenceLoss {
  loss: number
  kl: number
  entropy: number
  clipped: { low: number; high: number }
  dLogProbs: Float64Array
}

/**
 * Loss of sequence `i` before its weight. A token's policy term counts only on policy and at `threshold` or more of
 * entropy, times its importance weight; the KL term always does (the order of reference/grpo 2.8).
 */
export function sequenceLoss(
  { policy, old: before, reference, sampler, entropies, ...batch }: LossBatch,
  i: number,
  options: LossOptions,
  threshold = Number.NEGATIVE_INFINITY,
): SequenceLoss {
  const advantage = batch.advantages[i]
  const mask = batch.mask[i]
  const now = Float64Array.from(policy[i])
  const old = before?.[i] ?? now
  const drawn = sampler?.[i] ?? old
  const less = (other: ArrayLike<number>) => now.map((logProb, t) => logProb - other[t])
  const ratios = logRatios(less(old), mask, advantage, options)
  const difference = now.map((_, t) => old[t] - drawn[t])
  const importance = importanceWeights(difference, mask, options)
  const isKept = isOnPolicy(less(drawn), mask, advantage, options)
  const found = { loss: 0, kl: 0, entropy: 0, clipped: { low: 0, high: 0 } }
  const [alongRatio, alongPolicy] = [new Float64Array(now.length), new Float64Array(now.length)]
  now.forEach((logProb, t) => {
    if (!mask[t]) return
    const logRatio = ratios.values[t]
    const entropy = entropies?.[i][t] ?? 0
    const term = policyTerm(logRatio, logProb, advantage, options)
    const weight = isKept && entropy >= threshold ? importance[t] : 0
    const kl = reference ? tokenKl(logProb - reference[i][t], options) : { value: 0, slope: 0 }
    const beta = options.beta * (options.importanceOfKl ? importance[t] : 1)
    const times = options.klTimesRatio ? Math.exp(logRatio) : 1
    found.loss += weight * term.value + beta * kl.value * times
    alongRatio[t] = weight * term.alongRatio + (options.klTimesRatio ? beta * kl.value * times : 0)
    alongPolicy[t] = weight * term.alongPolicy + beta * kl.slope * times
    found.kl += kl.value
    found.entropy += entropy
    if (term.clipped) found.clipped[term.clipped]++
  })
  const throughRatio = ratios.pullBack(alongRatio)
  return { ...found, dLogProbs: alongPolicy.map((slope, t) => slope + throughRatio[t]) }
}
