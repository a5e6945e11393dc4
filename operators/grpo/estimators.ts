import type { Config, Fields } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { GroupError } from './group-error.ts'

export const estimatorFields = {
  baseline: {
    type: 'string',
    enum: ['mean', 'leave-one-out', 'length-weighted', 'runner-up', 'batch', 'none'],
    default: 'mean',
    description:
      "What is subtracted from a reward. mean: the group's mean. leave-one-out: the mean of the others in the group. length-weighted: the group's mean weighted by length. runner-up: the second best reward is subtracted from the best one; the others become 0. batch: the mean of the whole batch. none: nothing.",
  },
  scale: {
    type: 'string',
    enum: ['group', 'batch', 'batch-advantage', 'token', 'nonzero', 'none'],
    default: 'group',
    description:
      'What the difference is divided by. group, batch: the standard deviation of the rewards of the group or the batch. batch-advantage: the standard deviation of the differences in the batch. token: the standard deviation over tokens, after the mean over tokens is subtracted. nonzero: the share of rewards that are not 0. none: nothing.',
  },
  deviation: {
    type: 'string',
    enum: ['unbiased', 'population'],
    default: 'unbiased',
    description:
      'Whether standard deviations divide by the count less one (unbiased) or by the count (population).',
  },
  epsilon: {
    type: 'number',
    minimum: 0,
    default: 1e-4,
    description: 'Added to the standard deviation; with scale token, to the variance.',
  },
  rewards: {
    type: 'array',
    items: { type: 'string' },
    default: [],
    description:
      'Names of rewards that are each normalised in the group, (reward − mean) / standard deviation, before their weighted sum becomes the reward. Empty: the combined reward.',
  },
  weights: {
    type: 'array',
    items: { type: 'number' },
    default: [],
    description: 'Weights of those rewards, in the same order; 1 for each that is left out.',
  },
} as const satisfies Fields

export type EstimatorOptions = Omit<Config<typeof estimatorFields>, 'rewards' | 'weights'>

export interface RewardedGroup {
  rewards: readonly number[]
  /** Tokens of each completion. */
  lengths: readonly number[]
}

/** Advantages by group and completion; the groups together are the batch. */
export function advantagesOf(groups: readonly RewardedGroup[], options: EstimatorOptions): number[][] {
  const rewards = groups.flatMap(group => group.rewards)
  const batchMean = mean(rewards)
  const centred = groups.map(group => baselines[options.baseline](group, batchMean))
  const { epsilon, deviation } = options
  const divided = (by: number) => centred.map(group => group.map(value => value / by))
  switch (options.scale) {
    case 'group':
      return centred.map((group, g) => {
        const by = groupStatistics(at(groups, g).rewards, deviation).standardDeviation + epsilon
        return group.map(value => value / by)
      })
    case 'batch':
      return divided(groupStatistics(rewards, deviation).standardDeviation + epsilon)
    case 'batch-advantage':
      return divided(groupStatistics(centred.flat(), deviation).standardDeviation + epsilon)
    case 'token':
      return whitened(centred, groups, epsilon, deviation)
    case 'nonzero':
      return divided(rewards.filter(reward => reward !== 0).length / rewards.length)
    case 'none':
      return centred
  }
}

/** Weighted sum of several rewards by completion, each normalised in the group first (GDPO). */
export function standardSum(
  rewards: readonly (readonly number[])[],
  weights: readonly number[],
  epsilon: number,
  deviation: EstimatorOptions['deviation'] = 'unbiased',
): number[] {
  const scores = rewards.map(values => {
    const { mean, standardDeviation } = groupStatistics(values, deviation)
    return values.map(value => (value - mean) / (standardDeviation + epsilon))
  })
  return at(rewards, 0).map((_, i) =>
    scores.reduce((sum, values, k) => sum + at(weights, k) * at(values, i), 0),
  )
}

/** Mean and standard deviation of at least two rewards. */
export function groupStatistics(
  rewards: readonly number[],
  deviation: EstimatorOptions['deviation'] = 'unbiased',
): { mean: number; standardDeviation: number } {
  if (rewards.length < 2) {
    throw new GroupError(
      'small-group',
      `an advantage needs a group of at least 2 completions, got ${rewards.length}`,
    )
  }
  const center = mean(rewards)
  const squares = rewards.reduce((sum, reward) => sum + (reward - center) ** 2, 0)
  return { mean: center, standardDeviation: Math.sqrt(squares / divisorOf(rewards.length, deviation)) }
}

const divisorOf = (count: number, deviation: EstimatorOptions['deviation']) =>
  deviation === 'unbiased' ? count - 1 : count

type Baseline = (group: RewardedGroup, batchMean: number) => number[]

const from =
  (level: (group: RewardedGroup, batchMean: number) => number): Baseline =>
  (group, batchMean) => {
    const value = level(group, batchMean)
    return group.rewards.map(reward => reward - value)
  }

const baselines: Record<EstimatorOptions['baseline'], Baseline> = {
  mean: from(({ rewards }) => mean(rewards)),
  'leave-one-out': ({ rewards }) =>
    rewards.map((reward, i) => {
      const others = rewards.filter((_, j) => j !== i)
      return reward - (others.length > 0 ? mean(others) : 0)
    }),
  'length-weighted': from(({ rewards, lengths }) => {
    const tokens = lengths.reduce((sum, length) => sum + length, 0)
    if (tokens === 0) return 0
    const center = mean(rewards)
    return center + rewards.reduce((sum, reward, i) => sum + at(lengths, i) * (reward - center), 0) / tokens
  }),
  'runner-up': ({ rewards }) => {
    const [best = 0, second = best] = [...rewards].sort((a, b) => b - a)
    const first = rewards.indexOf(best)
    return rewards.map((_, i) => (i === first ? best - second : 0))
  },
  batch: from((_, batchMean) => batchMean),
  none: from(() => 0),
}

/** Each completion's value counts once for each of its tokens. */
function whitened(
  values: readonly (readonly number[])[],
  groups: readonly RewardedGroup[],
  epsilon: number,
  deviation: EstimatorOptions['deviation'],
): number[][] {
  const lengths = groups.flatMap(group => group.lengths)
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const over = (of: (value: number) => number) =>
    values.flat().reduce((sum, value, i) => sum + at(lengths, i) * of(value), 0)
  const center = over(value => value) / tokens
  const variance = over(value => (value - center) ** 2) / divisorOf(tokens, deviation)
  return values.map(group => group.map(value => (value - center) / Math.sqrt(variance + epsilon)))
}

/** The mean of equal values is that value: their sum may be rounded, and a group of equal rewards must have no spread. */
function mean(values: readonly number[]): number {
  const [first = Number.NaN] = values
  if (values.every(value => value === first)) return first
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
