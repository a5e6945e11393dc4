import { answerBetweenTags } from '../text/answer-tags.ts'
import { stripEnd } from '../text/python.ts'
import { lettersOf } from './benchmark-rows.ts'

/** A question with its options on lines of their own, as in MVBench's prompts; options that state their letters keep them. */
export function choiceWords(question: string, options: readonly string[]): string {
  const letters = lettersOf(options.length)
  const labelled = options.every((option, i) => /^\(?([A-Z])[.):]/.exec(option)?.[1] === letters[i])
  const lines = options.map((option, i) => (labelled ? option : `${letters[i]}. ${option}`))
  return stripEnd([question, ...(options.length > 0 ? ['Options:', ...lines] : [])].join('\n'))
}

/** The letter that a cell names, such as `B`, `b`, `(B)`, `B.` or `<answer> B </answer>`, if it is among the letters. */
export const letterIn = (cell: unknown, letters: readonly string[]): string | undefined => {
  const text = String(cell ?? '')
  const said = (answerBetweenTags(text, { edges: true }) ?? text)
    .trim()
    .replace(/^\(|[).]$/g, '')
    .toUpperCase()
  return letters.find(letter => letter === said)
}
