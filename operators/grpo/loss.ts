import type { Config } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
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

/** Numbers about completions: one row a completion, one number a token. */
export type Rows = readonly ArrayLike<number>[]

/** The completions of an update, or of one share of it. */
export interface LossRows {
  /** Log-probabilities that the loss is differentiated by. */
  policy: Rows
  /** Log-probabilities of the first pass over the batch. Null when this is that pass: the ratio is then 1, with its gradient. */
  old: Rows | null
  /** Log-probabilities of the reference model. Null without one; the KL weight must then be 0. */
  reference: Rows | null
  /** Log-probabilities that the completions were drawn with; without them importance weights are 1. */
  sampler?: Rows | null
  /** Entropies of the policy; needed when one of the entropy options is on. */
  entropies?: Rows | null
  /** One for each completion. */
  advantages: readonly number[]
  /** 1 for tokens that count, up to and including the end of text, else 0. */
  mask: Rows
}

/** Of the whole update, when the rows are one share of it: losses, derivatives and metrics of the shares then add up. */
export interface UpdateTotals extends Counts {
  /** Needed with `topEntropy`. */
  entropyThreshold?: number
}

export interface Loss {
  loss: number
  /** Derivative of the loss with respect to each policy log-probability; 0 where the mask is 0. */
  dLogProbs: Float64Array[]
}

export interface GrpoLoss extends Loss {
  /** Derivative of the loss with respect to the entropy of every token that counts. */
  dEntropy: number
  metrics: GrpoMetrics
}

export interface GrpoMetrics {
  /** Mean over completions of each one's mean KL over its tokens; 0 without a reference. */
  kl: number
  /** Share of tokens whose ratio went beyond the bound in the direction of its advantage; then for each bound. */
  clipRatio: number
  clipLow: number
  clipHigh: number
  /** Mean over tokens; 0 without entropies. */
  entropy: number
  /** Mean number of tokens of a completion that count. */
  completionLength: number
  /** Metrics of a loss of one's own, by their names in `metrics.jsonl`. */
  more?: Readonly<Record<string, number>>
}

/** A loss with its derivative, of the completions of an update or of a share of it. */
export type LossFunction = (rows: LossRows, options: LossOptions, totals: UpdateTotals) => GrpoLoss

/**
 * The loss with its derivative, in float64. By default, for every token, −ρA + β·k with ρ = exp(policy − old) and
 * k = exp(reference − policy) − (reference − policy) − 1, i.e. GRPO (Shao et al. 2024, arXiv:2402.03300, equations 3
 * and 4) without clipping. In general: the surrogate of the ratio, times the masks and the importance weight, plus the
 * KL term; summed with the weights of the aggregation.
 */
export function grpoLoss(rows: LossRows, options: LossOptions, totals?: UpdateTotals): GrpoLoss {
  checkRows(rows, options)
  const { mask, entropies } = rows
  const lengths = mask.map(row => Array.from(row).reduce((sum, counts) => sum + counts, 0))
  const all: UpdateTotals = totals ?? {
    ...countsOf(lengths, options),
    entropyThreshold: entropyThreshold(entropies ?? [], mask, options.topEntropy),
  }
  const [completions, tokens] = [Math.max(all.completions, 1), Math.max(all.tokens, 1)]
  const dEntropy = -options.entropyCoefficient / tokens
  const metrics = { kl: 0, clipRatio: 0, clipLow: 0, clipHigh: 0, entropy: 0, completionLength: 0 }
  let loss = 0
  const dLogProbs = lengths.map((length, i) => {
    const completion = completionLoss(rowsAt(rows, i), options, all.entropyThreshold)
    const weight = tokenWeight(length, all, options)
    loss += weight * completion.loss
    metrics.kl += completion.kl / Math.max(length, 1) / completions
    metrics.clipLow += completion.clipped.low / tokens
    metrics.clipHigh += completion.clipped.high / tokens
    metrics.completionLength += length / completions
    metrics.entropy += completion.entropy / tokens
    return completion.dLogProbs.map(slope => weight * slope)
  })
  metrics.clipRatio = metrics.clipLow + metrics.clipHigh
  return { loss: loss - options.entropyCoefficient * metrics.entropy, dLogProbs, dEntropy, metrics }
}

/** The rows come from this program, so a mismatch is a fault of the caller. */
function checkRows({ advantages, ...rows }: LossRows, options: LossOptions): void {
  const { policy, reference, entropies } = rows
  if (policy.length === 0) throw new Error('grpoLoss: needs at least one completion, got none')
  if (options.beta !== 0 && !reference)
    throw new Error(`grpoLoss: beta ${options.beta} needs reference log-probabilities, got null`)
  if ((options.topEntropy < 1 || options.entropyCoefficient > 0) && !entropies)
    throw new Error('grpoLoss: the entropy options need entropies, got null')
  if (advantages.length !== policy.length) {
    throw new Error(`grpoLoss advantages: expected ${policy.length}, got ${advantages.length}`)
  }
  for (const [name, given] of Object.entries(rows)) {
    if (!given) continue
    const lengths = (of: Rows) => of.map(row => row.length).join(', ')
    if (lengths(given) !== lengths(policy))
      throw new Error(
        `grpoLoss ${name}: expected rows of (${lengths(policy)}) tokens, got (${lengths(given)})`,
      )
  }
}

/** The rows of one completion, with the defaults of those that are left out. */
interface CompletionRows {
  policy: Float64Array
  old: ArrayLike<number>
  reference: ArrayLike<number> | null
  sampler: ArrayLike<number>
  entropies: ArrayLike<number> | null
  advantage: number
  mask: ArrayLike<number>
}

/** `checkRows` has checked that every list has a row for each completion. */
function rowsAt(
  { policy, old, reference, sampler, entropies, ...rest }: LossRows,
  i: number,
): CompletionRows {
  const now = Float64Array.from(at(policy, i))
  const before = old ? at(old, i) : now
  return {
    policy: now,
    old: before,
    reference: reference && at(reference, i),
    sampler: sampler ? at(sampler, i) : before,
    entropies: entropies ? at(entropies, i) : null,
    advantage: at(rest.advantages, i),
    mask: at(rest.mask, i),
  }
}

/** Sums over the tokens of one completion that count. */
interface CompletionLoss {
  loss: number
  kl: number
  entropy: number
  clipped: { low: number; high: number }
  dLogProbs: Float64Array
}

/**
 * Loss of one completion before its weight. For each token: the policy term, if the completion is on policy and the
 * token's entropy is at least `threshold`, times its importance weight; plus the KL term, which always counts.
 */
function completionLoss(
  { policy, old, reference, sampler, entropies, advantage, mask }: CompletionRows,
  options: LossOptions,
  threshold = Number.NEGATIVE_INFINITY,
): CompletionLoss {
  const less = (other: ArrayLike<number>) => policy.map((logProb, t) => logProb - at(other, t))
  const ratios = logRatios(less(old), mask, advantage, options)
  const drift = policy.map((_, t) => at(old, t) - at(sampler, t))
  const importance = importanceWeights(drift, mask, options)
  const isKept = isOnPolicy(less(sampler), mask, advantage, options)
  const sums = { loss: 0, kl: 0, entropy: 0, clipped: { low: 0, high: 0 } }
  const [alongRatio, alongPolicy] = [new Float64Array(policy.length), new Float64Array(policy.length)]
  policy.forEach((logProb, t) => {
    if (!mask[t]) return
    const logRatio = at(ratios.values, t)
    const entropy = entropies ? at(entropies, t) : 0
    const term = policyTerm(logRatio, logProb, advantage, options)
    const weight = isKept && entropy >= threshold ? at(importance, t) : 0
    const kl = reference ? tokenKl(logProb - at(reference, t), options) : { value: 0, slope: 0 }
    const beta = options.beta * (options.importanceOfKl ? at(importance, t) : 1)
    const times = options.klTimesRatio ? Math.exp(logRatio) : 1
    sums.loss += weight * term.value + beta * kl.value * times
    alongRatio[t] = weight * term.alongRatio + (options.klTimesRatio ? beta * kl.value * times : 0)
    alongPolicy[t] = weight * term.alongPolicy + beta * kl.slope * times
    sums.kl += kl.value
    sums.entropy += entropy
    if (term.clipped) sums.clipped[term.clipped]++
  })
  const throughRatio = ratios.pullBack(alongRatio)
  return { ...sums, dLogProbs: alongPolicy.map((slope, t) => slope + at(throughRatio, t)) }
}
