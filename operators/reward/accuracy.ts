import { type Context, type Fields, operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { answerBetweenTags } from '../text/answer-tags.ts'
import { firstOf, strip } from '../text/python.ts'
import { formulaOf } from './formula.ts'
import { formulas } from './formulas.ts'
import { solutionOf, withNamed } from './with-reward.ts'

export const accuracyFields = {
  formulaSeconds: {
    type: 'number',
    minimum: 0,
    default: 2,
    description:
      'Time limit for comparing an answer that is a formula or number with the solution symbolically. A comparison that takes longer is logged and counts as wrong. 0: compare as text only.',
  },
} as const satisfies Fields

export default operator({
  summary: 'Sets the named reward `accuracy` of each completion: 1 if its answer is right, else 0.',
  config: accuracyFields,
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: () => ({ adds: ['accuracy'], reads: ['solution'] }),
  drops: false,
  run: ({ groups }, { formulaSeconds }, context) => ({
    groups: groups.pipe(
      context.each(async (group: Group, { key }) => {
        return withNamed(group, 'accuracy', await accuraciesOf(group, key, formulaSeconds, context))
      }),
    ),
  }),
})

/** The accuracy reward of each completion: 1 if its answer equals the solution as text or as a formula. */
export async function accuraciesOf(
  group: Group,
  key: string,
  formulaSeconds: number,
  context: Pick<Context, 'shared' | 'log'>,
): Promise<(0 | 1)[]> {
  const solution = solutionOf(group, key)
  const rewards = group.completions.map(({ text }) => accuracyReward(text, solution))
  const truth = formulaSeconds > 0 ? formulaOf(answerOf(solution)) : undefined
  if (truth === undefined) return rewards
  const judge = await context.shared(
    'formulas',
    async () => formulas(),
    judge => judge.close(),
  )
  for (const [i, { text }] of group.completions.entries()) {
    const answer = rewards[i] === 1 ? undefined : formulaOf(answerOf(text))
    if (answer === undefined) continue
    const equal = await judge.equal(answer, truth, formulaSeconds)
    if (equal) rewards[i] = 1
    if (equal === undefined)
      context.log(
        `sample ${key}: comparing ${answer} with ${truth} took longer than ${formulaSeconds} s (formulaSeconds); it counts as wrong`,
        'warn',
      )
  }
  return rewards
}

/**
 * The rules for text: 1 if the completion's answer, or its first character, is the solution, else 0; upper and lower case
 * differ. The answer is the text between the first answer tags that are on one line, or the whole completion without such
 * tags; the solution is read the same way.
 */
export function accuracyReward(completion: string, solution: string): 0 | 1 {
  const truth = answerOf(solution)
  const answer = answerOf(completion)
  return answer !== '' && (answer === truth || firstOf(answer) === truth) ? 1 : 0
}

const answerOf = (text: string): string => strip(answerBetweenTags(text, { edges: false }) ?? text)
