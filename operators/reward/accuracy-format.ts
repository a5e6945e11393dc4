import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { accuraciesOf, accuracyFields } from './accuracy.ts'
import { combineFields, combineRewards } from './combine.ts'
import { formatFields, formatReward } from './format.ts'

/** The published reward in one node: reward.accuracy, reward.format and reward.combine one after another. */
export default operator({
  summary: 'Scores each completion of a group for its answer and for thinking in tags, and combines the two.',
  config: { ...accuracyFields, ...formatFields, ...combineFields },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, config, context) => ({
    groups: groups.pipe(
      context.each<Group, Group>(async (group, { key }) => {
        const accuracies = await accuraciesOf(group, key, config.formulaSeconds, context)
        const completions = group.completions.map((completion, i) => {
          const accuracy = accuracies[i]
          const format = formatReward(completion.text, config)
          const rewards = { ...completion.rewards, accuracy, format }
          return { ...completion, rewards, reward: combineRewards(accuracy, format, config) }
        })
        return { ...group, completions }
      }),
    ),
  }),
})
