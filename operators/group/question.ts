import { operator } from '../../engine/operator.ts'
import { rewardOf } from '../grpo/reward-of.ts'
import type { Group, Sample } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { neededReward } from '../reward/reward-marks.ts'

/** With stream.sort, questions can be asked in the order of their difficulty. */
export default operator({
  summary: 'Gives the question of each group back, with the mean reward of its completions as a field.',
  config: {
    reward: { type: 'string', default: '', description: 'Name of a reward; empty for the combined one.' },
    field: { type: 'string', default: 'meanReward', description: 'Field of the sample that holds the mean.' },
  },
  inputs: { groups: groupPort },
  outputs: { samples: 'sample' },
  marks: ({ reward }) => ({ needs: [neededReward(reward, 'reward')] }),
  drops: false,
  run: ({ groups }, { reward, field }, context) => ({
    samples: groups.pipe(
      context.each(
        ({ prompt: { sample }, completions }: Group, { key }): Sample => {
          const rewards = completions.map(completion => rewardOf(completion, reward, key))
          const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length
          return { ...sample, fields: { ...sample.fields, [field]: mean } }
        },
        { keep: false },
      ),
    ),
  }),
})
