import { at } from '../../engine/shared/at.ts'
import type { Completion, Group } from '../kinds.ts'
import { RewardError } from './reward-error.ts'

/** The group with one more reward by name, and `weight` times it in the combined reward. */
export function withReward(
  group: Group,
  name: string,
  weight: number,
  rewardOf: (completion: Completion) => number,
): Group {
  const values = group.completions.map(rewardOf)
  const named = withNamed(group, name, values)
  return withCombined(named, ({ reward = 0 }, i) => reward + weight * at(values, i))
}

/** The group with one more reward by name, one value for each completion; the combined reward stays as it is. */
export function withNamed(group: Group, name: string, values: readonly (number | null)[]): Group {
  const completions = group.completions.map((completion, i) => {
    return { ...completion, rewards: { ...completion.rewards, [name]: at(values, i) } }
  })
  return { ...group, completions }
}

/** The group with another combined reward; a completion that has none keeps none. */
export function withCombined(
  group: Group,
  rewardOf: (completion: Completion, index: number) => number | undefined,
): Group {
  const completions = group.completions.map((completion, i) => {
    const { reward: _, ...rest } = completion
    const reward = rewardOf(completion, i)
    return reward === undefined ? rest : { ...rest, reward }
  })
  return { ...group, completions }
}

/** The solution of the group's question. A sample without one is an error of its item: there is nothing to compare with. */
export function solutionOf({ prompt }: Group, key: string): string {
  const { solution } = prompt.sample
  if (solution !== undefined) return solution
  throw new RewardError('missing-solution', `sample ${key}: a reward needs a solution, the sample has none`)
}

/** A completion's reward of this name, null where it does not apply; a reward that no operator has set is an error. */
export function namedReward({ rewards }: Completion, name: string, key: string): number | null {
  const value = rewards?.[name]
  if (value !== undefined) return value
  const present = Object.keys(rewards ?? {}).join(', ') || 'none'
  throw new RewardError(
    'missing-reward',
    `sample ${key}: a completion has no reward "${name}", only: ${present}; put the operator that sets it before this node`,
  )
}
