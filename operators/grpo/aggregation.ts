import type { Config, Fields } from '../../engine/operator.ts'

export const aggregationFields = {
  aggregation: {
    type: 'string',
    enum: ['sequence-mean', 'token-mean', 'sequence-sum', 'sum'],
    default: 'sequence-mean',
    description:
      'How token losses become one number. sequence-mean: mean over completions of the mean over their tokens. token-mean: mean over all tokens. sequence-sum: mean over completions of the sum over their tokens, divided by `length`. sum: sum over all tokens, divided by `length`.',
  },
  length: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 1,
    description: 'Divisor of sums, e.g. the largest number of tokens in a completion.',
  },
  emptySequences: {
    type: 'string',
    enum: ['count', 'drop'],
    default: 'count',
    description:
      'How means over completions treat a completion in which no token counts. count: it counts as 0. drop: it is left out.',
  },
  divisor: {
    type: 'string',
    enum: ['update', 'group'],
    default: 'update',
    description:
      'update: means are over the whole update. group: means are over each group, then averaged over the groups.',
  },
} as const satisfies Fields

export type AggregationOptions = Config<typeof aggregationFields>

/** What the means of an update divide by. */
export interface Counts {
  completions: number
  tokens: number
}

/** Counts of completions and tokens, from the number of tokens of each completion that count. */
export function countsOf(lengths: readonly number[], { emptySequences }: AggregationOptions): Counts {
  const completions = emptySequences === 'drop' ? lengths.filter(length => length > 0).length : lengths.length
  return { completions, tokens: lengths.reduce((total, length) => total + length, 0) }
}

/** Weight of a token's loss in a completion of `length` tokens that count. */
export function tokenWeight(length: number, totals: Counts, options: AggregationOptions): number {
  const completions = Math.max(totals.completions, 1)
  switch (options.aggregation) {
    case 'sequence-mean':
      return 1 / completions / Math.max(length, 1)
    case 'token-mean':
      return 1 / Math.max(totals.tokens, 1)
    case 'sequence-sum':
      return 1 / completions / options.length
    case 'sum':
      return 1 / options.length
  }
}
