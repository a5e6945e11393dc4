import type { OperatorFunction } from 'rxjs'
import type { Context, Item } from '../../engine/operator.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import type { Judgement, OpenQuestion, Question } from '../question.ts'
import { digestOf } from '../question-digests.ts'
import { JudgeError } from './judge-error.ts'
import { readVerdict } from './verdict.ts'
import { answerPart } from './wording.ts'

export interface Judge {
  /** The judge, by what decides its verdicts: with another one an answer is judged again. */
  identity(): Promise<unknown>
  /** Its text about an answer. */
  ask(question: Question, open: OpenQuestion, answer: string): Promise<string>
  concurrency: number
  /** Whether asking the same again may give another text. */
  mayDiffer: boolean
}

/** Unreadable verdicts in a row after which an answer is left without one. */
const readings = 3
/** Answers in a row without a response, after which the judge is left alone until the next run. */
const mostSilent = 5

/**
 * Lets a judge say something about every open answer that it has not judged yet. A judge that fails leaves the answer
 * without a verdict, and the run goes on: the answer is stored, and judged by the next run.
 */
export function judging(
  { identity, ask, concurrency, mayDiffer }: Judge,
  context: Context,
): OperatorFunction<Item<Question>, Item<Question>> {
  let known: Promise<unknown> | undefined
  let silent = 0
  let gaveUp: string | undefined
  const giveUp = (reason: string) => {
    if (gaveUp === undefined)
      context.log(`${context.node}: the judge is not asked any more in this run: ${reason}`, 'warn')
    gaveUp ??= reason
  }
  const judged = async (
    question: Question,
    open: OpenQuestion,
    answer: string,
  ): Promise<Pick<Judgement, 'said' | 'fault'>> => {
    let said = ''
    for (let reading = 0; reading < (mayDiffer ? readings : 1); reading++) {
      if (gaveUp !== undefined) return { said: null, fault: gaveUp }
      try {
        said = await ask(question, open, answer)
        silent = 0
      } catch (error) {
        context.signal.throwIfAborted()
        if (!(error instanceof JudgeError)) throw error
        if (error.code === 'refused') giveUp(messageOf(error))
        else if (error.code !== 'rejected' && ++silent >= mostSilent)
          giveUp(`${silent} answers in a row got no response, the last: ${messageOf(error)}`)
        return { said: null, fault: messageOf(error) }
      }
      if (readVerdict(open.rule, said)) return { said }
    }
    return { said, fault: `the judge's text has no verdict that can be read` }
  }
  return context.each(
    async (question: Question): Promise<Question> => {
      const { fields, reply, judgement } = question
      const answer = reply && answerPart(reply.text)
      if (!fields.open || !answer) return question
      known ??= identity()
      const about = [fields.open, fields.answer, answer]
      const digest = digestOf([await known, question.question, ...about])
      if (judgement?.digest === digest && judgement.fault === undefined) return question
      return { ...question, judgement: { digest, ...(await judged(question, fields.open, answer)) } }
    },
    { concurrency },
  )
}
