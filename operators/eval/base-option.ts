import { strip, whitespace } from '../text/python.ts'
import type { ParsedAnswer } from './parse-answer.ts'

/**
 * How the base system reads an answer on Video-MME and LongVideoBench: the first character when it is a letter of the
 * options; else letters in brackets; else letters between spaces; else, in more than five words, the words of options. If there
 * are several, the last one counts. For empty output an option is drawn at random, as its LongVideoBench script does.
 */
export function baseOption(
  output: string,
  { letters, options }: { letters: readonly string[]; options: readonly string[] },
): ParsedAnswer {
  let text = strip(output)
  for (const mark of ",.!?;:'") text = trimMark(text, mark)
  const first = text[0] ?? ''
  if (letters.includes(first)) return { letter: first }
  const padded = ` ${text} `
  const named = wordsOf(options, letters)
  const attempts: (() => string | undefined)[] = [
    () => lastNamed(padded, letters, letter => `(${letter})`),
    () => lastNamed(padded, letters, letter => ` ${letter} `),
    () =>
      hasMoreThanFiveWords(text)
        ? lastNamed(padded.toLowerCase(), letters, letter => named[letters.indexOf(letter)] ?? '')
        : undefined,
  ]
  for (const attempt of text === '' ? [] : attempts) {
    const letter = attempt()
    if (letter !== undefined) return { letter }
  }
  return { random: true }
}

/** The letter whose name occurs last in the text; the first of several at one place. */
function lastNamed(
  text: string,
  letters: readonly string[],
  nameOf: (letter: string) => string,
): string | undefined {
  let [best, place]: [string | undefined, number] = [undefined, -1]
  for (const letter of letters) {
    const at = text.lastIndexOf(nameOf(letter))
    if (at > place) [best, place] = [letter, at]
  }
  return best
}

/**
 * The options' words in lower case. Video-MME's options begin with their letter and a point: the base system takes the text
 * between the first `. ` and the next, without its last character.
 */
function wordsOf(options: readonly string[], letters: readonly string[]): string[] {
  const labelled = options.length > 0 && options.every((option, i) => option.startsWith(`${letters[i]}. `))
  return options.map(option => {
    const words = labelled ? (option.split('. ')[1] ?? '').slice(0, -1) : option
    return words.toLowerCase()
  })
}

const someSpace = new RegExp(`[${whitespace}]+`)
const hasMoreThanFiveWords = (text: string): boolean =>
  text.split(someSpace).filter(word => word !== '').length > 5

/** Python's `text.strip(mark)`. */
function trimMark(text: string, mark: string): string {
  let [start, end] = [0, text.length]
  while (start < end && text[start] === mark) start++
  while (end > start && text[end - 1] === mark) end--
  return text.slice(start, end)
}
