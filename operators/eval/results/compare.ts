import type { Headline, Unions } from '../../read/benchmark-kinds.ts'
import { describeDifferences, isRight, type Pair, type Pairing, pairResults, said } from './pairing.ts'
import { percent } from './percent.ts'
import { recipeDifferences } from './recipe-fields.ts'
import { type Repeats, repeatsIn, withDeviation } from './repeats.ts'
import { clusteredMean, type Estimate } from './statistics.ts'
import { readBenchmark, readRecipe } from './store.ts'
import { strataOf, unionIn } from './summary.ts'

/** Two evaluations of the same questions, question by question. */
export interface Comparison {
  /** Fields of the recipes that differ. */
  recipe: readonly string[]
  /** Questions with one id that are not the same in both, by what differs. */
  differing: Pairing['differing']
  /** Of the questions that both have. */
  first: number
  second: number
  /** Second minus first, by the benchmark's average. */
  difference: Estimate
  /** Questions that one has and the other has not. */
  onlyFirst: number
  onlySecond: number
  isByContent: boolean
  gained: readonly Flip[]
  lost: readonly Flip[]
  /** Of evaluations with several answers to each question, over the questions that both have. */
  repeats: { first: Repeats | null; second: Repeats | null }
}

export interface Flip {
  id: string
  first: string
  second: string
}

/** Compares two folders of results; throws `no-results` when they have no question in common. */
export function compareResults(firstFolder: string, secondFolder: string): Comparison {
  return compare(pairResults(firstFolder, secondFolder), firstFolder, secondFolder)
}

export function compare(pairing: Pairing, firstFolder: string, secondFolder: string): Comparison {
  const { pairs, ...counts } = pairing
  const { headline, unions = {} } = readBenchmark(firstFolder)
  const mean = (value: (pair: Pair) => number) => meanOf(pairs, headline, unions, value)
  const flips = (flipped: (pair: Pair) => boolean) =>
    pairs.filter(flipped).map(({ one, two }) => ({ id: one.result.id, first: said(one), second: said(two) }))
  return {
    ...counts,
    recipe: recipeDifferences(readRecipe(firstFolder), readRecipe(secondFolder)),
    first: mean(({ one }) => one.worth).mean,
    second: mean(({ two }) => two.worth).mean,
    difference: mean(({ one, two }) => two.worth - one.worth),
    gained: flips(({ one, two }) => !isRight(one) && isRight(two)),
    lost: flips(({ one, two }) => isRight(one) && !isRight(two)),
    repeats: {
      first: repeatsOf(pairs.map(({ one }) => one)),
      second: repeatsOf(pairs.map(({ two }) => two)),
    },
  }
}

function repeatsOf(side: readonly Pair['one'][]): Repeats | null {
  const answers = Math.max(...side.map(({ answers }) => answers.length))
  return answers > 1
    ? repeatsIn(
        side.flatMap(one => one.answers),
        answers,
      )
    : null
}

/** The comparison as lines for people. */
export function describeComparison(comparison: Comparison): string[] {
  const { recipe, differing, first, second, difference, onlyFirst, onlySecond, gained, lost } = comparison
  const { mean, low, high, observations, clusters } = difference
  const sign = (value: number) => (value > 0 ? `+${percent(value)}` : percent(value))
  const interval = low === null || high === null ? 'no interval' : `95 % ${sign(low)} to ${sign(high)}`
  const list = (title: string, flips: readonly Flip[]) => [
    `${title}: ${flips.length}`,
    ...flips.map(flip => `  ${flip.id}: ${flip.first} → ${flip.second}`),
  ]
  const unlike = describeDifferences(differing)
  return [
    `${observations} questions in both, ${clusters} clips${onlyFirst + onlySecond > 0 ? `; ${onlyFirst} and ${onlySecond} in one only` : ''}`,
    ...(comparison.isByContent ? ['no id is in both: paired by clip, words, options and true answer'] : []),
    ...(unlike.length > 0 ? [`questions that differ: ${unlike.join('; ')}`] : []),
    `${percent(first)} % → ${percent(second)} %, difference ${sign(mean)} (${interval})`,
    ...describeSides(comparison),
    recipe.length === 0 ? 'recipes alike' : `recipes differ: ${recipe.join('; ')}`,
    ...list('gained', gained),
    ...list('lost', lost),
  ]
}

/** A line for each side with several answers to a question; then the majority decides what is gained or lost. */
export function describeSides({ repeats }: Comparison): string[] {
  const sides = [
    ['first', repeats.first],
    ['second', repeats.second],
  ] as const
  return sides.flatMap(([name, side]) => {
    if (!side) return []
    const { answers, passAt, majorityAt, agreement } = side
    return `${name}: ${withDeviation(side)} % in ${answers} answers, pass@${answers} ${percent(passAt[answers] ?? Number.NaN)} %, maj@${answers} ${percent(majorityAt[answers] ?? Number.NaN)} %, agreement ${percent(agreement)} %`
  })
}

function meanOf(
  pairs: readonly Pair[],
  average: Headline,
  unions: Unions,
  value: (pair: Pair) => number,
): Estimate {
  return clusteredMean(
    pairs.flatMap(pair =>
      strataOf(pair.one.result, average).map(stratum => ({
        value: value(pair),
        cluster: pair.one.result.clip,
        stratum,
      })),
    ),
    'difference',
    unionIn(unions, average),
  )
}
