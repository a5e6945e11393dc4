import type { Config, Fields } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'

export const ratioFields = {
  ratio: {
    type: 'string',
    enum: ['token', 'sequence', 'sequence-token', 'sequence-clipped', 'product'],
    default: 'token',
    description:
      "What the probability ratio is of. token: each token. sequence: the geometric mean over a completion's tokens (GSPO). sequence-token: the same value, with the gradient of each token. sequence-clipped: the mean after each token's log ratio is clipped to the bounds (GMPO). product: the product over a completion's tokens.",
  },
  ratioClamp: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Limits the logarithms of ratios to ± this; 0 for no limit.',
  },
} as const satisfies Fields

export type RatioOptions = Config<typeof ratioFields>

/** Of one completion, by token. */
export interface LogRatios {
  values: Float64Array
  /** Turns derivatives by the log ratios into derivatives by the policy's log-probabilities. */
  pullBack(slopes: Float64Array): Float64Array
}

/**
 * log ρ for every token of a completion from the differences policy − old. GSPO: Zheng et al. 2025, arXiv:2507.18071;
 * GMPO: Zhao et al. 2025, arXiv:2507.20673.
 */
export function logRatios(
  differences: Float64Array,
  mask: ArrayLike<number>,
  advantage: number,
  options: RatioOptions & { clipLow: number; clipHigh: number },
): LogRatios {
  const { ratio, ratioClamp } = options
  if (ratio === 'token') return clamped(differences, slopes => slopes, ratioClamp)
  // Only the bound in the direction of the advantage clips, as in the clipped surrogate.
  const isClipped = (difference: number) =>
    ratio === 'sequence-clipped' &&
    (advantage > 0 ? difference > options.clipHigh : difference < -options.clipLow)
  const clipped = (difference: number) =>
    isClipped(difference) ? (advantage > 0 ? options.clipHigh : -options.clipLow) : difference
  const counts = differences.map((_, t) => at(mask, t))
  const share = ratio === 'product' ? 1 : 1 / Math.max(total(counts), 1)
  const value = share * total(differences.map((difference, t) => at(counts, t) * clipped(difference)))
  const pullBack = (slopes: Float64Array) => {
    if (ratio === 'sequence-token') return slopes
    const sum = share * total(slopes)
    return differences.map((difference, t) => (isClipped(difference) ? 0 : at(counts, t) * sum))
  }
  return clamped(
    differences.map(() => value),
    pullBack,
    ratioClamp,
  )
}

function clamped(values: Float64Array, pullBack: LogRatios['pullBack'], bound: number): LogRatios {
  if (bound === 0) return { values, pullBack }
  return {
    values: values.map(value => Math.min(Math.max(value, -bound), bound)),
    pullBack: slopes => pullBack(slopes.map((slope, t) => (Math.abs(at(values, t)) > bound ? 0 : slope))),
  }
}

const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)
