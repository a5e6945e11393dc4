import type { Config, Fields } from '../../engine/operator.ts'

export const ratioFields = {
  ratio: {
    type: 'string',
    enum: ['token', 'sequence', 'sequence-token', 'sequence-clipped', 'product'],
    default: 'token',
    description:
      "What the probability ratio is taken over: each token; the geometric mean of a completion's tokens (with the gradient of the mean, or of each token); that mean after cutting each token's log ratio at the bounds; their product.",
  },
  ratioClamp: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Logarithms of ratios are cut to ± this; 0 never cuts.',
  },
} as const satisfies Fields

export type RatioOptions = Config<typeof ratioFields>

/** Of one sequence, by token. */
export interface LogRatios {
  values: Float64Array
  /** Turns derivatives along the log ratios into derivatives along the policy's log-probabilities. */
  pullBack(slopes: Float64Array): Float64Array
}

/** log ρ for every token of a sequence from the differences policy − old (reference/grpo 2.6; GMPO: 2.7). */
export function logRatios(
  differences: Float64Array,
  mask: ArrayLike<number>,
  advantage: number,
  options: RatioOptions & { clipLow: number; clipHigh: number },
): LogRatios {
  const { ratio, ratioClamp } = options
  if (ratio === 'token') return clamped(differences, slopes => slopes, ratioClamp)
  // Only the side that the advantage pushes to is cut, as in the clipped surrogate.
  const isCut = (difference: number) =>
    ratio === 'sequence-clipped' &&
    (advantage > 0 ? difference > options.clipHigh : difference < -options.clipLow)
  const cut = (difference: number) =>
    isCut(difference) ? (advantage > 0 ? options.clipHigh : -options.clipLow) : difference
  const tokens = differences.map((_, t) => mask[t])
  const share = ratio === 'product' ? 1 : 1 / Math.max(total(tokens), 1)
  const value = share * total(differences.map((difference, t) => tokens[t] * cut(difference)))
  const pullBack = (slopes: Float64Array) => {
    if (ratio === 'sequence-token') return slopes
    const sum = share * total(slopes)
    return differences.map((difference, t) => (isCut(difference) ? 0 : tokens[t] * sum))
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
    pullBack: slopes => pullBack(slopes.map((slope, t) => (Math.abs(values[t]) > bound ? 0 : slope))),
  }
}

const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)
