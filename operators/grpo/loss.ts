import type { Config } from '../../engine/operator.ts'
import { aggregationFields, type Counts, countsOf, tokenWeight } from './aggregation.ts'
import { entropyFields, entropyThreshold } from './entropy.ts'
import { importanceFields, importanceWeights, isOnPolicy } from './importance.ts'
import { klFields, tokenKl } from './kl.ts'
import { logRatios, ratioFields } from './ratio.ts'
import { policyTerm, surrogateFields } from './surrogate.ts'

/** Every constant of the loss; the defaults are the published ones. */
export const lossFields = {
  ...ratioFields,
  ...surrogateFields,
  ...importanceFields,
  ...klFields,
  ...entropyFields,
  ...aggregationFields,
} as const

export type LossOptions = Config<typeof lossFields>

/** By sequence and token; all sequences of the step, or a part of them. */
export interface LossBatch {
  /** Log-probabilities. */
  policy: Rows
  /** Log-probabilities at the first pass over the batch; null when that is this one: the ratio is then 1 with its gradient. */
  old: Rows | null
  /** Null when there is no reference model; the KL weight must then be 0. */
  reference: Rows | null
  /** Log-probabilities that the completions were drawn with; without them importance weights are 1. */
  sampler?: Rows | null
  /** Of the policy; needed when one of the entropy options is on. */
  entropies?: Rows | null
  /** One for each sequence. */
  advantages: readonly number[]
  /** 1 for tokens that count, up to and including the end of text, else 0. */
  mask: Rows
}

export type Rows = readonly ArrayLike<number>[]

/** Of the whole step, when the batch is a part of it: losses, derivatives and metrics of the parts then add up. */
export interface Step extends Counts {
  /** Needed with `topEntropy`. */
  entropyThreshold?: number
}

export interface Loss {
  loss: number
  /** Derivative of the loss with respect to each policy log-probability; 0 where the mask is. */
  dLogProbs: Float64Array[]
}

export interface GrpoLoss extends Loss {
  /** Derivative of the loss with respect to the entropy of every token that counts. */
  dEntropy: number
  metrics: GrpoMetrics
}

export interface GrpoMetrics {
  /** Mean over sequences of each one's mean KL over its tokens; 0 without a reference. */
  kl: number
  /** Share of tokens whose ratio went past the bound that its advantage pushes it to; then the two bounds apart. */
  clipRatio: number
  clipLow: number
  clipHigh: number
  /** Mean over tokens; 0 without entropies. */
  entropy: number
  /** Mean number of tokens that count in a sequence. */
  completionLength: number
}

/**
 * The loss with its derivative, in float64. By default, for every token, −ρA + β·k with ρ = exp(policy − old) and
 * k = exp(reference − policy) − (reference − policy) − 1 (Specification 5.8). In general: the surrogate of the ratio,
 * times the masks and the importance weight, plus the KL term; summed with the weights of the aggregation.
 */
export function grpoLoss(batch: LossBatch, options: LossOptions, step?: Step): GrpoLoss {
  checkBatch(batch, options)
  const { mask, entropies } = batch
  const lengths = mask.map(row => sum(row))
  const whole: Step = step ?? {
    ...countsOf(lengths, options),
    entropyThreshold: entropyThreshold(entropies ?? [], mask, options.topEntropy),
  }
  const tokens = Math.max(whole.tokens, 1)
  const dEntropy = -options.entropyCoefficient / tokens
  const metrics = { kl: 0, clipRatio: 0, clipLow: 0, clipHigh: 0, entropy: 0, completionLength: 0 }
  let loss = 0
  const dLogProbs = batch.policy.map((_, i) => {
    const length = lengths[i]
    const sequence = sequenceLoss(batch, i, options, whole.entropyThreshold)
    const weight = tokenWeight(length, whole, options)
    loss += weight * sequence.loss
    metrics.kl += sequence.kl / Math.max(length, 1) / Math.max(whole.sequences, 1)
    metrics.clipLow += sequence.clipped.low / tokens
    metrics.clipHigh += sequence.clipped.high / tokens
    metrics.completionLength += length / Math.max(whole.sequences, 1)
    metrics.entropy += sequence.entropy / tokens
    return sequence.dLogProbs.map(slope => weight * slope)
  })
  metrics.clipRatio = metrics.clipLow + metrics.clipHigh
  return { loss: loss - options.entropyCoefficient * metrics.entropy, dLogProbs, dEntropy, metrics }
}

/** Shapes come from this program, so a mismatch is a fault of the caller. */
function checkBatch({ advantages, ...rows }: LossBatch, options: LossOptions): void {
  const { policy, reference, entropies } = rows
  if (policy.length === 0) throw new Error('grpoLoss: a batch needs at least one sequence, got none')
  if (options.beta !== 0 && !reference)
    throw new Error(`grpoLoss: beta ${options.beta} needs reference log-probabilities, got null`)
  if ((options.topEntropy < 1 || options.entropyCoefficient > 0) && !entropies)
    throw new Error('grpoLoss: the entropy options need entropies, got null')
  if (advantages.length !== policy.length) {
    throw new Error(`grpoLoss advantages: expected ${policy.length}, got ${advantages.length}`)
  }
  for (const [name, found] of Object.entries(rows)) {
    if (!found) continue
    const lengths = (of: Rows) => of.map(row => row.length).join(', ')
    if (lengths(found) !== lengths(policy))
      throw new Error(
        `grpoLoss ${name}: expected rows of (${lengths(policy)}) tokens, got (${lengths(found)})`,
      )
  }
}

function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]
  return total
}
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
