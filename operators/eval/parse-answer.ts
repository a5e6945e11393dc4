import { anyButNewline, firstOf, strip, whitespace } from '../text/python.ts'

/** What a response says: an option; nothing readable, where the published code draws an option at random; or an empty answer. */
export type ParsedAnswer = { readonly letter: string } | { readonly random: true } | { readonly none: true }

/**
 * Reads the chosen option from a response, as the four published evaluators do (Video-MME, MVBench, MLVU, MMVU;
 * Specification 6.2). `letters` are the options in order, upper case. The draw for `random` is the caller's.
 */
export function parseAnswer(response: string, letters: readonly string[]): ParsedAnswer {
  const found = answerPattern.exec(response)?.[1]
  if (found === undefined) return { random: true }
  const answer = strip(found)
  if (answer === '') return { none: true }
  const first = firstOf(answer)
  const letter =
    letters.find(letter => first === letter || first === letter.toLowerCase()) ??
    letters.find(letter => answer.includes(`(${letter})`) || answer.includes(`(${letter.toLowerCase()})`))
  return letter === undefined ? { random: true } : { letter }
}

const answerPattern = new RegExp(`<answer>[${whitespace}]*(${anyButNewline}*?)[${whitespace}]*</answer>`)
