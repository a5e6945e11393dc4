import type { Completion, Group } from '../kinds.ts'
import { answerBetweenTags } from '../text/answer-tags.ts'

/** What a judge is asked about each completion. */
export const askField = {
  type: 'string',
  default:
    '{question}\nTrue answer: {solution}\nAnswer to judge: {completion}\nHow right is it, from 0 to 1?',
  description: 'What the judge is asked: {question}, {solution} and {completion} are put in.',
} as const

/** The first number that the judge says; null where there is none. */
export function firstNumber(said: string): number | null {
  const [number] = /-?\d+(?:\.\d+)?/.exec(answerBetweenTags(said, { edges: true }) ?? said) ?? []
  return number === undefined ? null : Number(number)
}

/** One replacement, so that a completion that holds `{question}` stays as it is. */
export function filled(ask: string, { prompt: { sample } }: Group, { text }: Completion): string {
  const parts = { question: sample.question, solution: sample.solution ?? '', completion: text }
  return ask.replace(/\{(question|solution|completion)\}/g, (_, part: keyof typeof parts) => parts[part])
}
