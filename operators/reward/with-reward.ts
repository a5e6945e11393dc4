// A completion has named rewards (`rewards`) and one combined reward (`reward`), from which its advantage is computed. The
// rule of all reward operators: a named reward counts only where an operator puts it into the combined one.
import { at } from '../../engine/shared/at.ts'
import type { Completion, Group } from '../kinds.ts'
import { RewardError } from './reward-error.ts'
import { refuseUnusable } from './usable.ts'

/** A value for each completion; null leaves a completion out. */
export type Values = readonly (number | null)[]

/**
 * The group with one more reward by name. With a weight other than 0, `weight` times it is added to the combined reward.
 * Null adds nothing, and a completion without a combined reward gets none from it (`missing` of grpo.advantage).
 */
export function withWeighted(group: Group, name: string, weight: number, values: Values, key: string): Group {
  const named = withNamed(group, name, values)
  if (weight === 0) return named
  return withCombined(named, (completion, i) => {
    const value = at(values, i)
    return value === null ? completion.reward : startOf(at(group.completions, i), name, key) + weight * value
  })
}

/** The combined reward that a weighted one is added to. It starts at 0, but not over named rewards: they would be lost. */
function startOf(completion: Completion, name: string, key: string): number {
  if (completion.reward !== undefined) return completion.reward
  const lost = uncounted(completion)
  if (lost === undefined) return 0
  throw new RewardError(
    'not-combined',
    `sample ${key}: the reward "${name}" is added to the combined one, but a completion has no combined one, only ${lost}, which would be lost; put reward.sum with its weights before this node, or give this node "weight": 0 and put reward.sum after it`,
  )
}

/** The named rewards that apply to a completion without a combined one, for messages. */
export function uncounted({ rewards = {} }: Completion): string | undefined {
  const names = Object.keys(rewards).filter(name => rewards[name] !== null)
  if (names.length === 0) return undefined
  return `the named reward${names.length === 1 ? '' : 's'} ${names.map(name => `"${name}"`).join(', ')}`
}

/** The group with one more reward by name, one value for each completion; the combined reward stays as it is. */
export function withNamed(group: Group, name: string, values: Values): Group {
  const completions = group.completions.map((completion, i, all) => {
    const value = at(values, i)
    refuseUnusable(value, `reward "${name}"`, completion, [i, all.length])
    return { ...completion, rewards: { ...completion.rewards, [name]: value } }
  })
  return { ...group, completions }
}

/** The group with another combined reward; a completion that has none keeps none. */
export function withCombined(
  group: Group,
  rewardOf: (completion: Completion, index: number) => number | undefined,
): Group {
  const completions = group.completions.map((completion, i, all) => {
    const { reward: _, ...rest } = completion
    const reward = rewardOf(completion, i)
    refuseUnusable(reward, 'the combined reward', completion, [i, all.length])
    return reward === undefined ? rest : { ...rest, reward }
  })
  return { ...group, completions }
}

/** The solution of the group's question. A sample without one is an error of its item: there is nothing to compare with. */
export function solutionOf({ prompt }: Group, key: string): string {
  const { solution } = prompt.sample
  if (solution !== undefined) return solution
  throw new RewardError('missing-solution', `sample ${key}: a reward needs a solution, the sample has none`, {
    remedy: 'fill solution (or answer) in its row, or leave the row out: flow check names all such rows',
  })
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
