import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { accuraciesOf, accuracyFields } from './accuracy.ts'
import { combineFields, combineRewards } from './combine.ts'
import { formatFields, formatReward } from './format.ts'
import { combined } from './reward-marks.ts'

/** The published reward in one node: the same as reward.accuracy, reward.format and reward.combine in turn. */
export default operator({
  summary:
    'Sets the rewards `accuracy` and `format`, and the combined reward to both as the published program does.',
  config: { ...accuracyFields, ...formatFields, ...combineFields },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: () => ({ adds: ['accuracy', 'format', combined], reads: ['solution'] }),
  drops: false,
  run: ({ groups }, config, context) => ({
    groups: groups.pipe(
      context.each<Group, Group>(async (group, { key }) => {
        const accuracies = await accuraciesOf(group, key, config.formulaSeconds, context)
        const completions = group.completions.map((completion, i) => {
          const accuracy = at(accuracies, i)
          const format = formatReward(completion.text, config)
          const rewards = { ...completion.rewards, accuracy, format }
          return { ...completion, rewards, reward: combineRewards(accuracy, format, config) }
        })
        return { ...group, completions }
      }),
    ),
  }),
})
