import type { Config, Fields } from '../../engine/operator.ts'

export const importanceFields = {
  importance: {
    type: 'string',
    enum: ['none', 'token', 'sequence', 'sequence-mean'],
    default: 'none',
    description:
      'Importance weights for completions that were drawn with other probabilities than training computes: for each token, for the product over a completion (sequence), or for its geometric mean (sequence-mean).',
  },
  importanceMode: {
    type: 'string',
    enum: ['truncate', 'mask'],
    default: 'truncate',
    description: 'A weight out of bounds becomes the bound (truncate) or 0 (mask).',
  },
  importanceLow: { type: 'number', minimum: 0, default: 0, description: 'Smallest weight.' },
  importanceHigh: { type: 'number', minimum: 0, default: 2, description: 'Largest weight.' },
  importanceOfKl: {
    type: 'boolean',
    default: false,
    description: 'Whether the weights apply to the KL term too, not only to the policy term.',
  },
  offPolicyThreshold: {
    type: 'number',
    minimum: 0,
    default: 0,
    description:
      'A completion of negative advantage is left out if its mean log-probability has fallen by more than this since it was drawn; 0 leaves out none.',
  },
} as const satisfies Fields

export type ImportanceOptions = Config<typeof importanceFields>

/** Weight of every token of a completion: exp(old − sampler) of the token, or of all together. */
export function importanceWeights(
  differences: Float64Array,
  mask: ArrayLike<number>,
  options: ImportanceOptions,
): Float64Array {
  const { importance, importanceMode: mode, importanceLow: low, importanceHigh: high } = options
  if (importance === 'none') return differences.map(() => 1)
  const { sum, count } = masked(differences, mask)
  const whole = importance === 'sequence' ? sum : sum / Math.max(count, 1)
  return differences.map(difference => {
    const weight = Math.exp(importance === 'token' ? difference : whole)
    if (mode === 'truncate') return Math.min(Math.max(weight, low), high)
    return weight >= low && weight <= high ? weight : 0
  })
}

/** Whether the policy term of a completion counts; `gains` are policy − sampler, or policy − old, by token. */
export function isOnPolicy(
  gains: Float64Array,
  mask: ArrayLike<number>,
  advantage: number,
  { offPolicyThreshold }: ImportanceOptions,
): boolean {
  if (offPolicyThreshold === 0 || advantage >= 0) return true
  const { sum, count } = masked(gains, mask)
  return -sum / Math.max(count, 1) <= offPolicyThreshold
}

function masked(values: Float64Array, mask: ArrayLike<number>): { sum: number; count: number } {
  let [sum, count] = [0, 0]
  values.forEach((value, t) => {
    if (!mask[t]) return
    sum += value
    count++
  })
  return { sum, count }
}
