import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { anyButNewline, firstOf, strip } from '../text/python.ts'
import { solutionOf, withNamed } from './with-reward.ts'

/** A sample without a solution is an error of its item: there is nothing to score against. */
export default operator({
  summary: 'Scores each completion of a group for its answer: 1 or 0, as the reward `accuracy`.',
  config: {},
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, _config, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { key }) => {
        const solution = solutionOf(group, key)
        const values = group.completions.map(({ text }) => accuracyReward(text, solution))
        return withNamed(group, 'accuracy', values)
      }),
    ),
  }),
})

/**
 * 1 when the completion's answer is the solution or begins with it, else 0; upper and lower case differ. The answer is
 * what stands between the first answer tags that are on one line, or the whole completion without such tags; the
 * solution is read the same way (Specification 5.5).
 *
 * The published code asks a symbolic comparison of LaTeX and numbers first. Lettered options hold neither, so for them
 * it never fires; it is left out here, and solutions that are numbers or formulas are compared as text. Of maintained
 * libraries only @cortex-js/compute-engine reads LaTeX; 0.140 asks for Node 22.3, and what a completion says can keep it
 * busy without end: `9^{9^{9^9}}` took its `isEqual` 49 s, in one call that nothing can interrupt.
 */
export function accuracyReward(completion: string, solution: string): 0 | 1 {
  const truth = answerOf(solution)
  const answer = answerOf(completion)
  return answer !== '' && (answer === truth || firstOf(answer) === truth) ? 1 : 0
}

const answerPattern = new RegExp(`<answer>(${anyButNewline}*?)</answer>`)

const answerOf = (text: string): string => strip(answerPattern.exec(text)?.[1] ?? text)
