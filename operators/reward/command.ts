import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { externalFields, questionOf, rewardsOf } from './external.ts'
import { programFault } from './program-fault.ts'
import { weighted } from './reward-marks.ts'
import { runScorer } from './run-scorer.ts'
import { withWeighted } from './with-reward.ts'

/** The program is started once for each group: JSON on standard input, JSON on standard output, exit code 0. */
export default operator({
  summary:
    'Lets an external program score the completions of each group: a named reward, added to the combined one.',
  config: {
    command: {
      type: 'array',
      items: { type: 'string' },
      minItems: 1,
      description: 'The program and its arguments; no shell is involved.',
    },
    ...externalFields,
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: ({ name, weight }) => weighted(name, weight),
  drops: false,
  inspect: async ({ command }) => programFault(command),
  run: ({ groups }, { command, name, weight, timeoutSeconds, concurrency }, context) => {
    const { signal } = context
    const score = async (group: Group, { key }: { key: string }) => {
      const source = `reward "${name}" of sample ${key}: ${command[0]}`
      const answer = await runScorer(command, questionOf(group, key), { source, timeoutSeconds, signal })
      return withWeighted(group, name, weight, rewardsOf(answer, group.completions.length, source), key)
    }
    return { groups: groups.pipe(context.each(score, { concurrency })) }
  },
})
