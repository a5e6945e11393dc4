import type { Completion, Group } from '../kinds.ts'

/** The group with one more reward by name, and `weight` times it in the combined reward. */
export function withReward(
  group: Group,
  name: string,
  weight: number,
  rewardOf: (completion: Completion) => number,
): Group {
  const completions = group.completions.map(completion => {
    const value = rewardOf(completion)
    const rewards = { ...completion.rewards, [name]: value }
    return { ...completion, rewards, reward: (completion.reward ?? 0) + weight * value }
  })
  return { ...group, completions }
}
