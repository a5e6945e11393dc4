import { operator } from '../../engine/operator.ts'
import { rewardOf } from '../grpo/reward-of.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { neededReward } from '../reward/reward-marks.ts'

/** Of equal rewards the earlier completion comes first. */
export default operator({
  summary: 'Keeps the completions of each group that have the highest rewards, the best first (best of N).',
  config: {
    count: { type: 'integer', minimum: 1, default: 1, description: 'Completions to keep.' },
    reward: { type: 'string', default: '', description: 'Name of a reward; empty for the combined one.' },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', shape: ['N', 'T'], holds: 'groups' } },
  dims: ({ count }) => ({ N: count }),
  marks: ({ reward }) => ({ needs: [neededReward(reward, 'reward')] }),
  drops: false,
  run: ({ groups }, { count, reward }, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { key }) => {
        const ranked = group.completions
          .map(completion => ({ completion, value: rewardOf(completion, reward, key) }))
          .sort((a, b) => b.value - a.value)
        return { ...group, completions: ranked.slice(0, count).map(({ completion }) => completion) }
      }),
    ),
  }),
})
