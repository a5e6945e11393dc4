import type { Completion } from '../kinds.ts'
import { uncounted } from '../reward/with-reward.ts'
import { GroupError } from './group-error.ts'

/** A completion's reward of this name, or its combined reward if the name is empty. `remedy`: what else would be right. */
export function rewardOf(completion: Completion, name: string, key: string, remedy = ''): number {
  const reward = name === '' ? completion.reward : completion.rewards?.[name]
  if (typeof reward === 'number') return reward
  const lost = name === '' ? uncounted(completion) : undefined
  const lack =
    lost === undefined
      ? `no reward${name && ` "${name}"`}; put a reward operator before this node${remedy}`
      : `no combined reward, only ${lost}; put reward.sum with its weights before this node`
  throw new GroupError('missing-reward', `sample ${key}: a completion has ${lack}`)
}
