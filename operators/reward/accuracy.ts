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
      'An answer that is a formula or number is right when it equals the solution symbolically. Seconds after which a comparison ends undecided, which is logged and counts as wrong; 0: only the rules for text are asked.',
  },
} as const satisfies Fields

/** A sample without a solution is an error of its item: there is nothing to score against. */
export default operator({
  summary: 'Scores each completion of a group for its answer: 1 or 0, as the reward `accuracy`.',
  config: accuracyFields,
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, { formulaSeconds }, context) => ({
    groups: groups.pipe(
      context.each(async (group: Group, { key }) => {
        return withNamed(group, 'accuracy', await accuraciesOf(group, key, formulaSeconds, context))
      }),
    ),
  }),
})

/** The accuracy reward of each completion: 1 when its answer equals the solution as a formula or by the rules for text. */
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
        `sample ${key}: whether ${answer} equals ${truth} was not found out in ${formulaSeconds} s; it counts as wrong`,
        'warn',
      )
  }
  return rewards
}

/**
 * The rules for text: 1 when the completion's answer is the solution or begins with it, else 0; upper and lower case
 * differ. The answer is what stands between the first answer tags that are on one line, or the whole completion without
 * such tags; the solution is read the same way.
 */
export function accuracyReward(completion: string, solution: string): 0 | 1 {
  const truth = answerOf(solution)
  const answer = answerOf(completion)
  return answer !== '' && (answer === truth || firstOf(answer) === truth) ? 1 : 0
}

const answerOf = (text: string): string => strip(answerBetweenTags(text, { edges: false }) ?? text)
