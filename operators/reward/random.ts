import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { randomOf } from '../random.ts'
import { withCombined, withNamed } from './with-reward.ts'

/** A control: a policy that gets better with these learns from something else than its rewards. */
export default operator({
  summary: 'Makes the combined reward of each completion a random number, whatever it says.',
  config: {
    low: { type: 'number', default: 0, description: 'Least reward.' },
    high: { type: 'number', default: 1, description: 'What every reward stays below.' },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, { low, high }, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { seed }) => {
        const random = randomOf(seed, 'reward.random')
        const values = group.completions.map(() => low + (high - low) * random.uniform())
        return withCombined(withNamed(group, 'random', values), (_, i) => values[i])
      }),
    ),
  }),
})
