import { answerBetweenTags } from '../text/answer-tags.ts'
import { firstOf, strip } from '../text/python.ts'

/** What a response says: an option; nothing readable, where the published code draws an option at random; or an empty answer. */
export type ParsedAnswer = Chosen | { readonly random: true } | { readonly none: true }

export interface Chosen {
  readonly letter: string
  /** Every letter that the answer is right for, where a benchmark's own scorer lets one answer be right for several. */
  readonly rightFor?: readonly string[]
}

/**
 * Reads the chosen option from a response, as the four published evaluators do (Video-MME, MVBench, MLVU, MMVU): the
 * first answer tags on one line; in them the first character, in either case, or the first letter of the options that
 * is in brackets. `letters` are the options in order, upper case. The draw for `random` is the caller's.
 */
export function parseAnswer(response: string, letters: readonly string[]): ParsedAnswer {
  const found = answerBetweenTags(response, { edges: true })
  if (found === undefined) return { random: true }
  const answer = strip(found)
  if (answer === '') return { none: true }
  const first = firstOf(answer)
  const letter =
    letters.find(letter => first === letter || first === letter.toLowerCase()) ??
    letters.find(letter => answer.includes(`(${letter})`) || answer.includes(`(${letter.toLowerCase()})`))
  return letter === undefined ? { random: true } : { letter }
}
