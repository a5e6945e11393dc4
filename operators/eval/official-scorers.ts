import { strip } from '../text/python.ts'
import type { ParsedAnswer } from './parse-answer.ts'

// How the benchmarks' own scripts read an answer.

const none = { none: true } as const

/** Two commas are missing in the official list, so that four phrases are two that no output has. */
const phrases = [
  'The best answer is',
  'The correct answer is',
  'The answer is',
  'The answer',
  'The best option isThe correct option is',
  'Best answer:Best option:',
]

/** Video-MME: without some phrases, the first letter anywhere. */
export function videoMme(output: string, letters: readonly string[]): ParsedAnswer {
  const text = phrases.reduce((rest, phrase) => rest.replaceAll(phrase, ''), strip(output))
  for (const one of text) if (letters.includes(one)) return { letter: one }
  return none
}

/**
 * MVBench takes the first word of the first line in lower case, puts `(` before it (its prompt ends with that bracket), and
 * compares it with `(a)`, `(b)`, …: one must contain the other, full stops aside. So `. A` is right for every letter, and
 * `(A)(B)` for two. Here an output without a letter or digit is right for none.
 */
export function mvbench(output: string, letters: readonly string[]): ParsedAnswer {
  if (!/[\p{L}\p{N}]/u.test(output)) return none
  const [line = ''] = strip(output).split('\n', 1)
  const [word = ''] = `(${line}`.toLowerCase().split(' ', 1)
  const dotless = word.replaceAll('.', '')
  const rightFor = letters.filter(letter => {
    const truth = `(${letter.toLowerCase()})`
    return truth.includes(dotless) || word.includes(truth)
  })
  const [letter] = rightFor
  if (letter === undefined) return none
  return rightFor.length > 1 ? { letter, rightFor } : { letter }
}

/** The development set of MLVU: the character before the first closing bracket, or all of the output. */
export function mlvu(output: string, letters: readonly string[]): ParsedAnswer {
  const at = output.indexOf(')')
  const said = at < 0 ? output : output.slice(Math.max(at - 1, 0), at)
  return letters.includes(said) ? { letter: said } : none
}

/** The test set of MLVU: the text before the first closing bracket. */
export function mlvuTest(output: string, letters: readonly string[]): ParsedAnswer {
  const [said = ''] = output.split(')', 1).map(strip)
  return letters.includes(said) ? { letter: said } : none
}

/** LVBench: of the text before the first `)`, after its last `(`, the first character. */
export function lvbench(output: string, letters: readonly string[]): ParsedAnswer {
  const [before = ''] = output.split(')', 1)
  const first = strip(before.slice(before.lastIndexOf('(') + 1))[0] ?? ''
  return letters.includes(first) ? { letter: first } : none
}
