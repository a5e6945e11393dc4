import { operator } from '../../engine/operator.ts'
import { rewardOf } from '../grpo/reward-of.ts'
import type { Completion, Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { neededReward } from '../reward/reward-marks.ts'

/** The advantage 1 marks the preferred completion, −1 the other one. */
export default operator({
  summary:
    'Keeps the completions of highest and of lowest reward of each group as a pair; drops groups of equal rewards.',
  config: {
    reward: { type: 'string', default: '', description: 'Name of a reward; empty for the combined one.' },
    margin: {
      type: 'number',
      minimum: 0,
      default: 0,
      description: 'The two rewards must differ by more than this.',
    },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', shape: [2, 'T'], holds: 'groups' } },
  marks: ({ reward }) => ({ needs: [neededReward(reward, 'reward')] }),
  drops: true,
  run: ({ groups }, { reward, margin }, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { key }) => {
        const ranked = group.completions
          .map(completion => ({ completion, value: rewardOf(completion, reward, key) }))
          .sort((a, b) => b.value - a.value)
        const [best, worst] = [ranked[0], ranked.at(-1)]
        if (!best || !worst || best.value - worst.value <= margin) return undefined
        const completions: Completion[] = [
          { ...best.completion, advantage: 1 },
          { ...worst.completion, advantage: -1 },
        ]
        return { ...group, completions }
      }),
    ),
  }),
})
