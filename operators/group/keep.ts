import { operator } from '../../engine/operator.ts'
import { rewardOf } from '../grpo/reward-of.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { neededReward } from '../reward/reward-marks.ts'

/** grpo.filter keeps or drops whole groups; this looks at each completion. */
export default operator({
  summary:
    'Keeps the completions whose reward is high enough, and drops groups that have none (rejection sampling).',
  config: {
    least: { type: 'number', description: 'Lowest reward to keep.' },
    reward: { type: 'string', default: '', description: 'Name of a reward; empty for the combined one.' },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', shape: ['N', 'T'], holds: 'groups' } },
  marks: ({ reward }) => ({ needs: [neededReward(reward, 'reward')] }),
  drops: true,
  run: ({ groups }, { least, reward }, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { key }) => {
        const completions = group.completions.filter(one => rewardOf(one, reward, key) >= least)
        return completions.length > 0 ? { ...group, completions } : undefined
      }),
    ),
  }),
})
