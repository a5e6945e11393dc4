import { between } from '../text/answer-tags.ts'
import { optionsSaid, optionWords, plainWords } from './option-words.ts'
import type { ParsedAnswer } from './parse-answer.ts'

const none = { none: true } as const

/**
 * An answer that says nothing but one option: in the one pair of answer tags, or bare where there are no tags, a letter
 * alone, in brackets, or before words that name no other option.
 */
export function strictChoice(
  output: string,
  { letters, options }: { letters: readonly string[]; options: readonly string[] },
): ParsedAnswer {
  const words = answerOf(output)?.trim()
  const found = words === undefined ? null : label.exec(words)
  const letter = found?.[2]?.toUpperCase()
  if (!found || words === undefined || letter === undefined || !letters.includes(letter)) return none
  const [head, , , bracket, mark] = found
  const rest = words.slice(head.length).trim()
  if (rest === '') return mark === ';' ? none : { letter }
  const isParted = bracket !== '' || mark === '.' || mark === ':'
  return isParted && namesOnly(rest, letter, letters, options) ? { letter } : none
}

const label = /^([([]?)([A-Za-z])([)\]]?)([.:,]?)/

/** What the answer tags hold; all of an output without tags; undefined where tags are missing, doubled or cut. */
function answerOf(output: string): string | undefined {
  const isBare = tags.every(tag => !output.includes(tag))
  if (isBare) return output
  if (output.includes('<think>') && !output.includes('</think>')) return undefined
  return between(output, '<answer>', '</answer>')
}

const tags = ['<think>', '</think>', '<answer>', '</answer>']

/** Whether the words after a letter are those of its option, or are about no other option and do not take it back. */
function namesOnly(
  rest: string,
  letter: string,
  letters: readonly string[],
  options: readonly string[],
): boolean {
  const words = optionWords(letters, options)
  const said = plainWords(rest)
  const whole = optionsSaid(said, words, true)
  if (whole.length > 0) return whole.includes(letter)
  const begun = optionsSaid(said, words, false)
  if (begun.length > 0 && !begun.includes(letter)) return false
  if (
    /^(is|was|isn't|wasn't|cannot|can't|seems|looks)\b.{0,20}\b(not|wrong|incorrect|false|unlikely)\b|^(isn't|wasn't|cannot|can't)\b/.test(
      said,
    )
  )
    return false
  for (const [, upper, lower] of rest.matchAll(mention)) {
    const named = upper ?? lower?.toUpperCase() ?? ''
    if (named !== letter && letters.includes(named)) return false
  }
  return true
}

/** An upper-case letter that is a word by itself, or any letter in brackets. */
const mention = /(?<![A-Za-z0-9])(?:([A-Z])(?![A-Za-z0-9])|[([]?([a-z])[)\]])/g
