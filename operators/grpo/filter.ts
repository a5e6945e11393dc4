import { operator } from '../../engine/operator.ts'
import { keptNumber } from '../kept-number.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { neededReward } from '../reward/reward-marks.ts'
import { GroupError } from './group-error.ts'
import { rewardOf } from './reward-of.ts'

/** An update waits until it has enough groups, so dropped ones are replaced (dynamic sampling, DAPO, arXiv:2503.14476). */
export default operator({
  summary: 'Drops groups that teach nothing, e.g. because all their rewards are equal.',
  config: {
    keep: {
      type: 'string',
      enum: ['varied', 'range'],
      default: 'varied',
      description:
        'Which groups to keep: those whose rewards differ (varied), or whose mean reward is between `low` and `high` (range).',
    },
    reward: { type: 'string', default: '', description: 'Name of a reward; empty for the combined one.' },
    low: { type: 'number', default: 0.01, description: 'range: the mean must be greater than this.' },
    high: { type: 'number', default: 0.99, description: 'range: the mean must be less than this.' },
    mostDropped: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description: 'Groups in a row that may not all be dropped; 0 for no limit.',
    },
    exhausted: {
      type: 'string',
      enum: ['error', 'keep'],
      default: 'error',
      description: 'What happens to the last of these groups: it stops the run (error), or it is kept.',
    },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: ({ reward }) => ({ needs: [neededReward(reward, 'reward')] }),
  drops: true,
  serial: true,
  run: ({ groups }, { reward: name, mostDropped, exhausted, ...options }, context) => {
    const dropped = keptNumber(context)
    const filter = (group: Group, { key }: { key: string }) => {
      const rewards = group.completions.map(({ reward, rewards }) => (name ? rewards?.[name] : reward))
      const useful = teaches(
        group.completions.map(completion => rewardOf(completion, name, key)),
        options,
      )
      const isOver = !useful && mostDropped > 0 && dropped.value + 1 >= mostDropped
      const kept = useful || (isOver && exhausted === 'keep')
      context.record('groups', { key, kept, rewards })
      const droppedBefore = (group.droppedBefore ?? 0) + dropped.value
      dropped.value = kept ? 0 : dropped.value + 1
      if (isOver && !kept)
        throw new GroupError(
          'nothing-to-learn',
          `the last ${dropped.value} groups were all dropped (mostDropped): keep is "${options.keep}"; look at the rewards, raise the temperature, or --set exhausted=keep`,
        )
      return kept ? { ...group, droppedBefore } : undefined
    }
    return { groups: groups.pipe(context.each(filter)) }
  },
})

export interface FilterOptions {
  keep: 'varied' | 'range'
  low: number
  high: number
}

/** Whether a group with these rewards is kept. */
export function teaches(rewards: readonly number[], { keep, low, high }: FilterOptions): boolean {
  if (keep === 'varied') return rewards.some(reward => reward !== rewards[0])
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length
  return mean > low && mean < high
}
