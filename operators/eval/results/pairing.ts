import { isFailure } from '../../question.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { byQuestion, meanWorth, standing } from './repeats.ts'
import { instructionOf, wordsOf } from './report-items.ts'
import type { Result } from './result.ts'
import { readBenchmark, readResults } from './store.ts'

/** A question that two evaluations asked alike. */
export interface Pair {
  one: Answered
  two: Answered
}

/** The answers to a question: the one of the majority, if there are several, stands for all. */
export interface Answered {
  result: Result
  answers: readonly Result[]
  /** Mean of what the answers earn. */
  worth: number
}

/** What two evaluations have in common. */
export interface Pairing {
  pairs: readonly Pair[]
  onlyFirst: number
  onlySecond: number
  /** No id is in both, so questions with the same clip, words, options and true answer were paired. */
  isByContent: boolean
  /**
   * Questions with one id that differ, by what differs first. Another true answer, other options or other words make
   * another question: these are in no pair. Another instruction, task, group or clip is a part of what is compared: these are.
   */
  differing: Readonly<Record<Difference, number>>
}

export const differences = [
  'true answer',
  'options',
  'words',
  'instruction',
  'task or group',
  'clip',
] as const

export type Difference = (typeof differences)[number]

/** Pairs the questions of two folders; throws `no-results` when there are none to compare. */
export function pairResults(firstFolder: string, secondFolder: string): Pairing {
  const [first, second] = [firstFolder, secondFolder].map(folder =>
    byQuestion(readResults(folder, readBenchmark(folder))).flatMap(answeredOf),
  ) as [Answered[], Answered[]] // of two folders
  const byId = pairsBy(({ id }) => id, first, second)
  // the ids of one's own questions hold the name of their file
  const isByContent = byId.length === 0
  const found = isByContent ? pairsBy(contentOf, first, second) : byId
  if (found.length === 0)
    throw new EvaluationError(
      'no-results',
      `${secondFolder}: has no question that ${firstFolder} has, neither by its id nor by its clip, words, options and true answer`,
    )
  const pairs = found.filter(({ difference }) => difference === undefined || isCompared(difference))
  const count = (name: Difference) => found.filter(({ difference }) => difference === name).length
  const differing = Object.fromEntries(differences.map(name => [name, count(name)])) as Pairing['differing'] // each of them
  if (pairs.length === 0)
    throw new EvaluationError(
      'no-results',
      `${secondFolder}: asks no question as ${firstFolder} does: ${describeDifferences(differing).join('; ')}`,
    )
  return {
    pairs,
    isByContent,
    differing,
    onlyFirst: first.length - found.length,
    onlySecond: second.length - found.length,
  }
}

function pairsBy(key: (result: Result) => string, first: readonly Answered[], second: readonly Answered[]) {
  const others = new Map(second.map(answered => [key(answered.result), answered]))
  return first.flatMap(one => {
    const two = others.get(key(one.result))
    return two ? [{ one, two, difference: differenceOf(one.result, two.result) }] : []
  })
}

const contentOf = (result: Result): string => {
  const { digests, clip, options, letters, answer, open } = result
  return JSON.stringify([digests?.clip ?? clip, wordsOf(result), options, letters, answer, open])
}

function answeredOf(answers: readonly Result[]): Answered[] {
  const result = standing(answers)
  return result ? [{ result, answers, worth: meanWorth(answers) }] : []
}

function differenceOf(one: Result, two: Result): Difference | undefined {
  if (JSON.stringify([one.options, one.letters]) !== JSON.stringify([two.options, two.letters])) {
    // the same options in another order have another letter for the same true answer
    return trueWords(one) === trueWords(two) ? 'options' : 'true answer'
  }
  if (one.answer !== two.answer || JSON.stringify(one.open) !== JSON.stringify(two.open)) return 'true answer'
  if (wordsOf(one) !== wordsOf(two)) return 'words'
  if (instructionOf(one) !== instructionOf(two)) return 'instruction'
  if (JSON.stringify([one.tasks, one.groups]) !== JSON.stringify([two.tasks, two.groups]))
    return 'task or group'
  const [clip, other] = [one.digests?.clip, two.digests?.clip]
  return clip === undefined || other === undefined || clip === other ? undefined : 'clip'
}

const isCompared = (difference: Difference): boolean =>
  ['instruction', 'task or group', 'clip'].includes(difference)

const trueWords = ({ answer, letters, options }: Result): string | undefined =>
  answer === null ? undefined : (options[letters.indexOf(answer)] ?? answer).replace(/^\(?[A-Z][.):]\s?/, '')

/** A line for each kind of difference. */
export const describeDifferences = (differing: Pairing['differing']): string[] =>
  differences
    .filter(name => differing[name] > 0)
    .map(name => {
      const fate = isCompared(name) ? 'compared all the same' : 'left out'
      return `${differing[name]} with another ${name}, ${fate}`
        .replace('another options', 'other options')
        .replace('another words', 'other words')
    })

/** Whether the answer that stands for a question is right. */
export const isRight = ({ result }: Answered): boolean => result.outcome === 'right'

/** What was said, in a few words. */
export function said({ result, answers, worth }: Answered): string {
  if (answers.length > 1) {
    const right = answers.filter(({ outcome }) => outcome === 'right').length
    return `${right} of ${answers.length} right`
  }
  const { outcome, chosen, credit } = result
  const earned = credit === undefined || isFailure(outcome) ? '' : `, earns ${worth.toFixed(2)}`
  return chosen === null ? `${outcome}${earned}` : `${chosen} (${outcome}${earned})`
}
