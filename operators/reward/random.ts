import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { randomOf } from '../random.ts'
import { combined } from './reward-marks.ts'
import { withCombined, withNamed } from './with-reward.ts'

/** A control: a policy that improves with random rewards does not learn from the rewards. */
export default operator({
  summary: 'Gives each completion a random combined reward, whatever its text.',
  config: {
    low: { type: 'number', default: 0, description: 'Smallest reward.' },
    high: { type: 'number', default: 1, description: 'Upper bound of rewards, never reached.' },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: () => ({ adds: ['random', combined] }),
  drops: false,
  run: ({ groups }, { low, high }, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { seed }) => {
        const random = randomOf(seed, 'reward.random')
        const values = group.completions.map(() => low + (high - low) * random.uniform())
        return withCombined(withNamed(group, 'random', values), (_, i) => at(values, i))
      }),
    ),
  }),
})
