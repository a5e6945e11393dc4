import type { Config, Fields } from '../../engine/operator.ts'

export const aggregationFields = {
  aggregation: {
    type: 'string',
    enum: ['sequence-mean', 'token-mean', 'sequence-sum', 'sum'],
    default: 'sequence-mean',
    description:
      'Token losses become one number as the mean over completions of their token means; the mean over all tokens; the mean over completions of their sums, or the sum of all, each divided by `length`.',
  },
  length: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 1,
    description: 'Divides sums, e.g. the largest length of a completion.',
  },
  emptySequences: {
    type: 'string',
    enum: ['count', 'drop'],
    default: 'count',
    description:
      'Whether a completion without a token that counts is one of those that means over completions divide by.',
  },
  divisor: {
    type: 'string',
    enum: ['update', 'group'],
    default: 'update',
    description: 'Means are over everything in the update, or are taken by group and then averaged.',
  },
} as const satisfies Fields

export type AggregationOptions = Config<typeof aggregationFields>

/** What the means of an update divide by. */
export interface Counts {
  sequences: number
  tokens: number
}

/** The counts of all sequences together, from how many tokens of each count. */
export function countsOf(lengths: readonly number[], { emptySequences }: AggregationOptions): Counts {
  const sequences = emptySequences === 'drop' ? lengths.filter(length => length > 0).length : lengths.length
  return { sequences, tokens: lengths.reduce((total, length) => total + length, 0) }
}

/** Weight of a token's loss in a sequence of `length` tokens that count (reference/grpo 2.12). */
export function tokenWeight(length: number, step: Counts, options: AggregationOptions): number {
  const sequences = Math.max(step.sequences, 1)
  switch (options.aggregation) {
    case 'sequence-mean':
      return 1 / sequences / Math.max(length, 1)
    case 'token-mean':
      return 1 / Math.max(step.tokens, 1)
    case 'sequence-sum':
      return 1 / sequences / options.length
    case 'sum':
      return 1 / options.length
  }
}
