import { isInside } from '../../../engine/shared/inside.ts'
import { answerPart } from '../../judge/wording.ts'
import type { Outcome } from '../../question.ts'
import type { Result } from './result.ts'

/** A question as the page holds it, with all its answers: in a comparison those of both runs. */
export interface PageItem {
  id: string
  tasks: readonly string[]
  groups: Readonly<Record<string, string>>
  clip: string
  /** The question without its options and instruction. */
  words: string
  options: readonly string[]
  letters: readonly string[]
  answer: string | null
  /** What the row is coloured and filtered by: an outcome, or how two answers differ. */
  mark: string
  answers: readonly PageAnswer[]
}

export interface PageAnswer {
  chosen: string | null
  /** What is shown as said: the letter, or the beginning of an answer in one's own words. */
  said: string | null
  output: string | null
  message: string | null
  /** What a judge has said about it, or why it has not. */
  judge: string | null
  tokens: number
  finished: boolean
  prompt: string | null
  /** How many frames were shown, and when. */
  frames: string
  sheet: string | null
  flags: readonly string[]
}

/** The outcomes in the words of the page. */
export const markOf = (outcome: Outcome): string =>
  outcome === 'truncated' ? 'cut' : outcome.replace('-', ' ')

/** What the page holds of a question, marked by its outcome or by `mark`. */
export function itemOf(
  result: Result,
  mark = markOf(result.outcome),
  others: readonly Result[] = [],
): PageItem {
  const { id, tasks, groups, clip, options, letters, answer } = result
  const answers = [result, ...others].map(answerOf)
  return { id, tasks, groups, clip, words: wordsOf(result), options, letters, answer, mark, answers }
}

type Worded = Pick<Result, 'question' | 'letters'> & Partial<Pick<Result, 'open'>>

/** A question that was shown ends at the line of its first option. */
export function wordsOf({ question, letters, open }: Worded): string {
  if (open) return open.words
  const [first = 'A'] = letters
  const lines = question.split('\n')
  const end = lines.findIndex(
    line => /^options:$/i.test(line.trim()) || line.startsWith(`${first}.`) || line.startsWith(`(${first})`),
  )
  const words = (end > 0 ? lines.slice(0, end) : lines).join('\n')
  return words.replace(/^Question: /, '').trim()
}

/** What follows the question's own words and its options: how to answer. */
export function instructionOf({
  question,
  letters,
  open,
  options,
}: Worded & Pick<Result, 'options'>): string {
  if (open) return question.replace(open.words, '').trim()
  const last = options.at(-1) ?? ''
  const at = letters.length > 0 ? question.lastIndexOf(last) : -1
  return at < 0 ? question : question.slice(at + last.length).trim()
}

const longestSaid = 300

function answerOf({
  chosen,
  drawn,
  output,
  message,
  tokens,
  finished,
  prompt,
  indices,
  framesPerSecond,
  sheet,
  judgement,
  open,
}: Result): PageAnswer {
  const flags = [
    ...(isCut({ output, finished }) ? ['cut'] : []),
    ...(drawn ? ['drawn at random'] : []),
    ...(output !== null && tagsOf(output) === 'left open' ? ['tag left open'] : []),
  ]
  const frames = framesText(indices, framesPerSecond)
  // an address would load something into the page; a comparison may lie next to the folders
  const shownSheet = sheet !== null && isInside(sheet.replace(/^(\.\.\/)+/, '')) ? sheet : null
  const judge = judgement ? [judgement.said, judgement.fault].filter(Boolean).join('\n\n') : null
  const said = open && output !== null ? answerPart(output).slice(0, longestSaid) : chosen
  return { chosen, said, output, message, judge, tokens, finished, prompt, frames, sheet: shownSheet, flags }
}

/** The token limit ended the output. */
export const isCut = ({ output, finished }: Pick<Result, 'output' | 'finished'>): boolean =>
  output !== null && !finished

/** Whether an output closes what it opens, of `<think>` and `<answer>`. */
export function tagsOf(output: string): TagState {
  const [thought, answer] = ['think', 'answer'].map(name => {
    const open = output.indexOf(`<${name}>`)
    if (open < 0) return output.includes(`</${name}>`) ? 'left open' : 'absent'
    return output.indexOf(`</${name}>`, open) < 0 ? 'left open' : 'closed'
  })
  if (thought === 'left open' || answer === 'left open') return 'left open'
  if (answer === 'absent') return thought === 'absent' ? 'no tags' : 'thought alone'
  return thought === 'absent' ? 'answer alone' : 'closed'
}

export const tagStates = ['closed', 'answer alone', 'thought alone', 'left open', 'no tags'] as const

export type TagState = (typeof tagStates)[number]

function framesText(indices: readonly number[], framesPerSecond: number | null): string {
  if (indices.length === 0) return ''
  const frames = `${indices.length} frame${indices.length === 1 ? '' : 's'}`
  if (!framesPerSecond) return frames
  return `${frames} at ${indices.map(index => (index / framesPerSecond).toFixed(2)).join(', ')} s`
}
