import { strip } from '../text/python.ts'
import { type ParsedAnswer, parseAnswer } from './parse-answer.ts'

/** What a scorer may look at. */
export interface Choices {
  letters: readonly string[]
  options: readonly string[]
}

/** Reads the chosen option from an output. */
export type Scorer = (output: string, choices: Choices) => ParsedAnswer

const none = { none: true } as const

/**
 * Ways to read an output. `published`: the four released scripts. `option`: the base system's, and its
 * LongVideoBench. `strict`: an answer that says nothing but one option, in tags or bare. The others are the benchmarks' own
 * (facts in their repositories); where those count silence as right, it is unparsed here.
 */
export const scorers = {
  published: (output, { letters }) => parseAnswer(output, letters),
  strict: (output, choices) => strict(output, choices),
  option: (output, choices) => baseOption(output, choices),
  'video-mme': (output, { letters }) => firstLetter(withoutPhrases(output), letters),
  mvbench: (output, { letters }) => mvbench(output, letters),
  mlvu: (output, { letters }) => exactly(output.split(')')[0] ?? '', letters),
  lvbench: (output, { letters }) => lvbench(output, letters),
} as const satisfies Record<string, Scorer>

export type ScorerName = keyof typeof scorers

export const scorerNames = Object.keys(scorers) as ScorerName[] // the keys of the object above

/** What the one pair of answer tags holds, or all of it where there are no tags: a letter alone, in brackets, or before its option. */
function strict(output: string, { letters, options }: Choices): ParsedAnswer {
  const blocks = [...output.matchAll(/<answer>([\s\S]*?)<\/answer>/g)]
  const isBare = !/<\/?(think|answer)>/.test(output)
  const cut = output.includes('<think>') && !output.includes('</think>')
  if (cut || blocks.length !== (isBare ? 0 : 1)) return none
  const words = (isBare ? output : (blocks[0]?.[1] ?? '')).trim()
  const found = /^[([]?([A-Za-z])[)\]]?(?:[.:,]?\s*$|[.:)\]]\s*([\s\S]+)$)/.exec(words)
  const letter = found?.[1]?.toUpperCase()
  if (letter === undefined || !letters.includes(letter)) return none
  const said = found?.[2]
  const bare = (text: string) =>
    text
      .trim()
      .replace(/^[A-Z][.)]\s*/, '')
      .replace(/[.\s]+$/, '')
      .toLowerCase()
  const option = options[letters.indexOf(letter)] ?? ''
  // a letter beside the words of another option is no answer
  const others = options.filter((_, i) => letters[i] !== letter).map(bare)
  if (said !== undefined && bare(said) !== bare(option) && others.includes(bare(said))) return none
  return { letter }
}

/** Specification 6.3. Empty output is drawn at random, as LongVideoBench's script does. */
function baseOption(output: string, { letters, options }: Choices): ParsedAnswer {
  let text = strip(output)
  for (const mark of ",.!?;:'") text = trimMark(text, mark)
  if (text === '') return { random: true }
  if (letters.includes(text[0] ?? '')) return { letter: text[0] ?? '' }
  const padded = ` ${text} `
  const lower = padded.toLowerCase()
  const inBrackets = letters.filter(letter => padded.includes(`(${letter})`))
  const alone = letters.filter(letter => padded.includes(` ${letter} `))
  const named = letters.filter((_, i) => lower.includes((options[i] ?? '').toLowerCase()))
  const words = text.split(/\s+/).filter(Boolean).length
  const last: [readonly string[], (letter: string) => number][] = [
    [inBrackets, letter => padded.lastIndexOf(`(${letter})`)],
    [alone, letter => padded.lastIndexOf(` ${letter} `)],
    [
      words > 5 ? named : [],
      letter => lower.lastIndexOf((options[letters.indexOf(letter)] ?? '').toLowerCase()),
    ],
  ]
  for (const [candidates, place] of last) {
    if (candidates.length === 0) continue
    const letter = candidates.reduce((best, next) => (place(next) > place(best) ? next : best))
    return { letter }
  }
  return { random: true }
}

/** Python's `text.strip(mark)`. */
function trimMark(text: string, mark: string): string {
  let [start, end] = [0, text.length]
  while (start < end && text[start] === mark) start++
  while (end > start && text[end - 1] === mark) end--
  return text.slice(start, end)
}

/** Two commas are missing in the official list, so that four phrases are two that no output has. */
const phrases = [
  'The best answer is',
  'The correct answer is',
  'The answer is',
  'The answer',
  'The best option isThe correct option is',
  'Best answer:Best option:',
]

const withoutPhrases = (output: string): string =>
  phrases.reduce((text, phrase) => text.replaceAll(phrase, ''), output.trim())

function firstLetter(text: string, letters: readonly string[]): ParsedAnswer {
  const letter = [...text].find(one => letters.includes(one))
  return letter === undefined ? none : { letter }
}

/** The first word of the first line, in brackets or not, of either case. */
function mvbench(output: string, letters: readonly string[]): ParsedAnswer {
  const word = (output.trim().split('\n')[0] ?? '').split(' ')[0]?.toLowerCase() ?? ''
  if (word === '') return none
  const opened = word.startsWith('(') ? word : `(${word}`
  const letter = letters.find(one => {
    const truth = `(${one.toLowerCase()})`
    return truth.includes(word.replace(/\.$/, '')) || `${opened})`.includes(truth) || opened.includes(truth)
  })
  const dotted = letter ?? letters.find(one => word === `${one.toLowerCase()}.`)
  return dotted === undefined ? none : { letter: dotted }
}

const exactly = (text: string, letters: readonly string[]): ParsedAnswer => {
  const bare = text.trim().replace(/^\(/, '')
  return letters.includes(bare) ? { letter: bare } : none
}

/** The text before `)`, behind `(`, of that the first word's first character. */
function lvbench(output: string, letters: readonly string[]): ParsedAnswer {
  const before = output.trim().split(')')[0] ?? ''
  const behind = before.split('(').at(-1) ?? ''
  const first = behind.trim().split(/\s+/)[0]?.[0] ?? ''
  return letters.includes(first) ? { letter: first } : none
}
