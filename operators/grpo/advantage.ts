import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { GroupError } from './group-error.ts'
import { normals } from './normals.ts'

export default operator({
  summary: "Measures each completion's reward against the mean of its group, in standard deviations.",
  config: {
    epsilon: { type: 'number', minimum: 0, default: 1e-4, description: 'Added to the standard deviation.' },
    noise: {
      type: 'number',
      minimum: 0,
      default: 0.02,
      description:
        'Standard deviation of the noise added to each advantage, so that a group of equal rewards still counts.',
    },
  },
  inputs: { groups: 'group' },
  outputs: { groups: 'group' },
  run: ({ groups }, { epsilon, noise }, context) => ({
    groups: groups.pipe(
      context.each<Group, Group>((group, { key, seed }) => {
        const advantages = groupAdvantages(group.completions.map(rewardOf(key)), epsilon)
        const draws = normals(seed, noise > 0 ? advantages.length : 0)
        const completions = group.completions.map((completion, i) => {
          return { ...completion, advantage: (advantages[i] ?? 0) + noise * (draws[i] ?? 0) }
        })
        return { ...group, completions }
      }),
    ),
  }),
})

/** (reward − mean) / (standard deviation + epsilon) for each reward of a group (Specification 5.7). */
export function groupAdvantages(rewards: readonly number[], epsilon: number): number[] {
  const { mean, standardDeviation } = groupStatistics(rewards)
  return rewards.map(reward => (reward - mean) / (standardDeviation + epsilon))
}

/** Mean and unbiased standard deviation (divided by one less than the count) of at least two rewards. */
export function groupStatistics(rewards: readonly number[]): { mean: number; standardDeviation: number } {
  if (rewards.length < 2) {
    throw new GroupError(
      'small-group',
      `an advantage needs a group of at least 2 completions, got ${rewards.length}`,
    )
  }
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0)
  return { mean, standardDeviation: Math.sqrt(squares / (rewards.length - 1)) }
}

const rewardOf = (key: string) => (completion: Group['completions'][number]) => {
  if (completion.reward !== undefined) return completion.reward
  throw new GroupError(
    'missing-reward',
    `sample ${key}: a completion has no reward; put a reward operator before this node`,
  )
}
