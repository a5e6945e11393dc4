import { operator } from '../../engine/operator.ts'
import { lookAtAddress } from '../address-fault.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { askScorer } from './ask-scorer.ts'
import { externalFields, questionOf, rewardsOf } from './external.ts'
import { weighted } from './reward-marks.ts'
import { withWeighted } from './with-reward.ts'

/** One POST a group: JSON in the body, JSON in the response, status 200 to 299. */
export default operator({
  summary:
    'Lets an HTTP endpoint score the completions of each group: a named reward, added to the combined one.',
  config: {
    url: { type: 'string', description: 'Where groups are posted to.' },
    ...externalFields,
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: ({ name, weight }) => weighted(name, weight),
  drops: false,
  inspect: ({ url }, known) => lookAtAddress(url, known),
  run: ({ groups }, { url, name, weight, timeoutSeconds, concurrency }, context) => {
    const { signal } = context
    const score = async (group: Group, { key }: { key: string }) => {
      const source = `reward "${name}" of sample ${key}: ${url}`
      const answer = await askScorer(url, questionOf(group, key), { source, timeoutSeconds, signal })
      return withWeighted(group, name, weight, rewardsOf(answer, group.completions.length, source), key)
    }
    return { groups: groups.pipe(context.each(score, { concurrency })) }
  },
})
