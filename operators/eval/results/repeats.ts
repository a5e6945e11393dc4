import { percent } from './percent.ts'
import type { Result } from './result.ts'

/** What several answers to each question tell. */
export interface Repeats {
  /** Answers to each question. */
  answers: number
  /** Mean and sample standard deviation of the accuracies of the first answers, the second answers, … */
  mean: number
  deviation: number | null
  /** By k: the chance that one of k answers is right. */
  passAt: Readonly<Record<number, number>>
  /** By k: the accuracy of the letter that most of the first k answers chose; of equally many, the one chosen first. */
  majorityAt: Readonly<Record<number, number>>
  /** Share of the pairs of answers to one question that chose the same letter. */
  agreement: number
}

/** The results of each question, in the order of its repeats. */
export function byQuestion(results: readonly Result[]): Result[][] {
  const questions = new Map<string, Result[]>()
  for (const result of results) {
    const answers = questions.get(result.id)
    if (answers) answers.push(result)
    else questions.set(result.id, [result])
  }
  return [...questions.values()]
}

/** Over the questions that have all their answers. */
export function repeatsIn(results: readonly Result[], answers: number): Repeats {
  const questions = byQuestion(results).filter(({ length }) => length === answers)
  const accuracies = Array.from({ length: answers }, (_, repeat) =>
    meanOf(questions.map(one => worth(one[repeat]))),
  )
  const mean = meanOf(accuracies)
  const squares = accuracies.reduce((sum, accuracy) => sum + (accuracy - mean) ** 2, 0)
  const counts = [...powersUpTo(answers), answers].filter((k, i, all) => all.indexOf(k) === i)
  const at = (value: (question: readonly Result[], k: number) => number) =>
    Object.fromEntries(counts.map(k => [k, meanOf(questions.map(question => value(question, k)))]))
  return {
    answers,
    mean,
    deviation: answers > 1 ? Math.sqrt(squares / (answers - 1)) : null,
    passAt: at(passAt),
    majorityAt: at((question, k) => worth(majority(question.slice(0, k)))),
    agreement: meanOf(questions.map(agreement)),
  }
}

const rightness = (result: Result | undefined): number => (result?.outcome === 'right' ? 1 : 0)

/** What an answer earns: a number may be partly right. */
const worth = (result: Result | undefined): number => result?.credit ?? rightness(result)

const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length

function* powersUpTo(most: number): Generator<number> {
  for (let power = 1; power <= most; power *= 2) yield power
}

/** The unbiased estimate 1 - C(n - c, k) / C(n, k) of n answers of which c are right (Chen et al., 2021). */
function passAt(question: readonly Result[], k: number): number {
  const n = question.length
  const wrong = n - question.reduce((sum, one) => sum + rightness(one), 0)
  let fails = 1
  for (let i = 0; i < k; i++) fails *= Math.max(0, wrong - i) / (n - i)
  return 1 - fails
}

/** The first answer with the letter that was chosen most often; answers without a letter do not vote. */
export function majority(answers: readonly Result[]): Result | undefined {
  const votes = new Map<string, { count: number; first: Result }>()
  for (const answer of answers) {
    if (answer.chosen === null) continue
    const vote = votes.get(answer.chosen)
    if (vote) vote.count++
    else votes.set(answer.chosen, { count: 1, first: answer })
  }
  const most = Math.max(0, ...[...votes.values()].map(({ count }) => count))
  return [...votes.values()].find(({ count }) => count === most)?.first
}

function agreement(answers: readonly Result[]): number {
  const pairs = answers.flatMap((one, i) =>
    answers.slice(i + 1).map(other => (one.chosen !== null && one.chosen === other.chosen ? 1 : 0)),
  )
  return pairs.length === 0 ? 1 : meanOf(pairs)
}

/** The answer that stands for all answers to a question: that of the majority, or without letters the first. */
export const standing = (answers: readonly Result[]): Result | undefined => majority(answers) ?? answers[0]

/** Mean of what the answers to a question earn. */
export const meanWorth = (answers: readonly Result[]): number => meanOf(answers.map(worth))

/** Mean and deviation in percent. */
export const withDeviation = ({ mean, deviation }: Pick<Repeats, 'mean' | 'deviation'>): string =>
  deviation === null ? percent(mean) : `${percent(mean)} ± ${percent(deviation)}`

/** What several answers tell, as names and values for people. */
export function describeRepeats(repeats: Repeats): [string, string][] {
  const { answers, passAt, majorityAt, agreement } = repeats
  const at = (name: string, values: Readonly<Record<number, number>>) =>
    Object.entries(values).map(([k, value]): [string, string] => [`${name}@${k}`, `${percent(value)} %`])
  return [
    [`mean of ${answers} answers, all questions`, `${withDeviation(repeats)} %`],
    ...at('pass', passAt),
    ...at('maj', majorityAt),
    ['agreement', `${percent(agreement)} %`],
  ]
}
