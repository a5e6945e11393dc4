import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { accuracyReward } from './accuracy.ts'
import { combineRewards } from './combine.ts'
import { formatReward } from './format.ts'
import { RewardError } from './reward-error.ts'

/** A sample without a solution is an error of its item: there is nothing to score against. */
export default operator({
  summary: 'Scores each completion of a group for its answer and for thinking in tags, and combines the two.',
  config: {
    baseline: { type: 'number', default: 0.5, description: 'Format reward for the form alone.' },
    lengthBonus: {
      type: 'number',
      default: 0.5,
      description: 'Format reward added in proportion to the length of the thinking.',
    },
    lengthCap: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1200,
      description: 'Characters of thinking that earn the whole bonus.',
    },
    rule: {
      type: 'string',
      enum: ['code', 'paper'],
      default: 'code',
      description:
        'How the two combine: as the published program does, or as its paper says (no form: the zero replacement even if right).',
    },
    zeroReplacement: {
      type: 'number',
      default: -2,
      description: 'Takes the place of a combined reward that is exactly 0.',
    },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, config, context) => ({
    groups: groups.pipe(
      context.each<Group, Group>((group, { key }) => {
        const { solution } = group.prompt.sample
        if (solution === undefined)
          throw new RewardError(`sample ${key}: a reward needs a solution, the sample has none`)
        const completions = group.completions.map(completion => {
          const accuracy = accuracyReward(completion.text, solution)
          const format = formatReward(completion.text, config)
          const rewards = { ...completion.rewards, accuracy, format }
          return { ...completion, rewards, reward: combineRewards(accuracy, format, config) }
        })
        return { ...group, completions }
      }),
    ),
  }),
})
