import { operator } from '../../engine/operator.ts'
import { keptNumber } from '../kept-number.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { GroupError } from './group-error.ts'

/** What is left flows on, so that an update waits until it has enough groups (dynamic sampling). */
export default operator({
  summary: 'Drops groups that nothing can be learned from.',
  config: {
    keep: {
      type: 'string',
      enum: ['varied', 'range'],
      default: 'varied',
      description: 'Groups whose rewards differ, or whose mean reward is between `low` and `high`.',
    },
    reward: { type: 'string', default: '', description: 'Name of a reward; empty for the combined one.' },
    low: { type: 'number', default: 0.01, description: 'Range: the mean must be larger.' },
    high: { type: 'number', default: 0.99, description: 'Range: the mean must be smaller.' },
    mostDropped: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description: 'Groups dropped one after another that are too many; 0 for no limit.',
    },
    exhausted: {
      type: 'string',
      enum: ['error', 'keep'],
      default: 'error',
      description: 'What becomes of the last of too many: it stops the run, or is kept.',
    },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, { reward: name, mostDropped, exhausted, ...options }, context) => {
    const dropped = keptNumber(context)
    const filter = (group: Group, { key }: { key: string }) => {
      const rewards = group.completions.map(({ reward, rewards }) => (name ? rewards?.[name] : reward))
      const useful = teaches(rewards.map(known(name, key)), options)
      const isOver = !useful && mostDropped > 0 && dropped.value + 1 >= mostDropped
      const kept = useful || (isOver && exhausted === 'keep')
      context.record('groups', { key, kept, rewards })
      dropped.value = kept ? 0 : dropped.value + 1
      if (isOver && !kept)
        throw new GroupError(
          'nothing-to-learn',
          `the last ${dropped.value} groups were all dropped: ${options.keep}`,
        )
      return kept ? group : undefined
    }
    return { groups: groups.pipe(context.each(filter)) }
  },
})

export interface FilterOptions {
  keep: 'varied' | 'range'
  low: number
  high: number
}

/** Whether a group of rewards is kept (reference/grpo 2.11). */
export function teaches(rewards: readonly number[], { keep, low, high }: FilterOptions): boolean {
  if (keep === 'varied') return rewards.some(reward => reward !== rewards[0])
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length
  return mean > low && mean < high
}

const known = (name: string, key: string) => (reward: number | null | undefined) => {
  if (typeof reward === 'number') return reward
  throw new GroupError(
    'missing-reward',
    `sample ${key}: a completion has no reward${name && ` "${name}"`}; put a reward operator before this node`,
  )
}
