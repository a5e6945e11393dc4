import { operator } from '../../engine/operator.ts'
import {
  isNumeric,
  type Outcome,
  type Question,
  type QuestionWith,
  type Reply,
  type Verdict,
} from '../question.ts'
import { meanRelativeAccuracy, numberIn } from './numeric-answer.ts'
import { judgeOpen } from './open-answer.ts'
import { seedOf } from './question-seed.ts'
import { type ScorerName, scorerFields, scorerOf, scorers } from './scorers.ts'

/** A pure function of the answers: stored ones are scored anew with `read.results`, without a model. */
export default operator({
  summary: 'Reads the chosen option from each answer and gives every question its outcome.',
  config: scorerFields,
  inputs: { answers: 'answer' },
  outputs: { results: 'result' },
  drops: false,
  run: ({ answers }, config, context) => ({
    results: answers.pipe(
      context.each((question: Question): QuestionWith<'verdict'> => {
        const { failure } = question
        const failed = failure && { outcome: failure.outcome, chosen: null, drawn: false }
        return {
          ...question,
          verdict: failed ?? judge(question, { scorer: scorerOf(config), seed: context.seed }),
        }
      }),
    ),
  }),
})

export interface ScoreSettings {
  scorer: ScorerName
  /** Decides the random letters, together with the question's id and repeat. */
  seed: number
}

/** The verdict on a question that was answered. */
export function judge(question: Question, { scorer: named, seed }: ScoreSettings): Verdict {
  const { fields, reply, judgement, repeat = 0 } = question
  const { id, benchmark, letters, options, answer, open } = fields
  // only the base system has published an evaluation on it
  const scorer = named === 'published' && benchmark === 'longvideobench' ? 'option' : named
  if (!reply) throw new Error(`${id}: a question to be scored must have a reply or a failure`)
  if (open) return judgeOpen({ reply, truth: answer, open, judgement }, scorer)
  if (isNumeric(fields)) return judgeNumber(reply, Number(answer), scorer)
  const parsed = scorers[scorer](reply.text, { letters, options })
  const outcome = (letter: string | undefined): Outcome =>
    letter !== undefined && letter === answer ? 'right' : 'wrong'
  if ('letter' in parsed) {
    const isRight = answer !== null && (parsed.rightFor ?? [parsed.letter]).includes(answer)
    return { outcome: isRight ? 'right' : 'wrong', chosen: isRight ? answer : parsed.letter, drawn: false }
  }
  // an empty tag is never drawn for: it says that there is no answer
  if ('random' in parsed) {
    const letter =
      letters[seedOf(seed, repeat === 0 ? `draw:${id}` : `draw:${id}:${repeat}`) % letters.length]
    return { outcome: outcome(letter), chosen: letter ?? null, drawn: true }
  }
  return { outcome: reply.finished ? 'unparsed' : 'truncated', chosen: null, drawn: false }
}

/** A number is right within 5 %; its mean relative accuracy is what it earns. */
function judgeNumber({ text, finished }: Reply, truth: number, scorer: ScorerName): Verdict {
  const number = numberIn(text, { anywhere: scorer === 'tolerant' })
  if (number === undefined)
    return { outcome: finished ? 'unparsed' : 'truncated', chosen: null, drawn: false, credit: 0 }
  const credit = meanRelativeAccuracy(number, truth)
  return { outcome: credit === 1 ? 'right' : 'wrong', chosen: String(number), drawn: false, credit }
}
