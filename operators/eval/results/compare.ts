import type { Headline } from '../../read/benchmark-kinds.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { recipeDifferences } from './recipe-fields.ts'
import { percent } from './report-text.ts'
import type { Result } from './result.ts'
import { clusteredMean, type Estimate } from './statistics.ts'
import { readBenchmark, readRecipe, readResults } from './store.ts'
import { strataOf } from './summary.ts'

/** Two evaluations of the same questions, question by question. */
export interface Comparison {
  /** Fields of the recipes that differ. */
  recipe: readonly string[]
  /** Of the questions that both have. */
  first: number
  second: number
  /** Second minus first, by the benchmark's average. */
  difference: Estimate
  /** Questions that one has and the other has not. */
  onlyFirst: number
  onlySecond: number
  gained: readonly Flip[]
  lost: readonly Flip[]
}

export interface Flip {
  id: string
  first: string
  second: string
}

/** Compares two folders of results; throws `no-results` when they have no question in common. */
export function compareResults(firstFolder: string, secondFolder: string): Comparison {
  const benchmark = readBenchmark(firstFolder)
  const first = readResults(firstFolder, benchmark)
  const second = readResults(secondFolder, readBenchmark(secondFolder))
  const other = new Map(second.map(result => [result.id, result]))
  const pairs = first.flatMap((one): [Result, Result][] => {
    const two = other.get(one.id)
    return two ? [[one, two]] : []
  })
  if (pairs.length === 0)
    throw new EvaluationError('no-results', `${secondFolder}: has no question that ${firstFolder} has`)
  const flips = (from: number, to: number) =>
    pairs
      .filter(([one, two]) => rightness(one) === from && rightness(two) === to)
      .map(([one, two]) => ({ id: one.id, first: said(one), second: said(two) }))
  return {
    recipe: recipeDifferences(readRecipe(firstFolder), readRecipe(secondFolder)),
    first: meanOf(pairs, benchmark.headline, one => rightness(one)).mean,
    second: meanOf(pairs, benchmark.headline, (_, two) => rightness(two)).mean,
    difference: meanOf(pairs, benchmark.headline, (one, two) => rightness(two) - rightness(one)),
    onlyFirst: first.length - pairs.length,
    onlySecond: second.length - pairs.length,
    gained: flips(0, 1),
    lost: flips(1, 0),
  }
}

/** The comparison as lines for people. */
export function describeComparison(comparison: Comparison): string[] {
  const { recipe, first, second, difference, onlyFirst, onlySecond, gained, lost } = comparison
  const { mean, low, high, observations, clusters } = difference
  const sign = (value: number) => (value > 0 ? `+${percent(value)}` : percent(value))
  const interval = low === null || high === null ? 'no interval' : `95 % ${sign(low)} to ${sign(high)}`
  const list = (title: string, flips: readonly Flip[]) => [
    `${title}: ${flips.length}`,
    ...flips.map(flip => `  ${flip.id}: ${flip.first} → ${flip.second}`),
  ]
  return [
    `${observations} questions in both, ${clusters} clips${onlyFirst + onlySecond > 0 ? `; ${onlyFirst} and ${onlySecond} in one only` : ''}`,
    `${percent(first)} % → ${percent(second)} %, difference ${sign(mean)} (${interval})`,
    recipe.length === 0 ? 'recipes alike' : `recipes differ: ${recipe.join('; ')}`,
    ...list('gained', gained),
    ...list('lost', lost),
  ]
}

const rightness = ({ outcome }: Result): number => (outcome === 'right' ? 1 : 0)

const said = ({ outcome, chosen }: Result): string => (chosen === null ? outcome : `${chosen} (${outcome})`)

function meanOf(
  pairs: readonly [Result, Result][],
  average: Headline,
  value: (one: Result, two: Result) => number,
): Estimate {
  return clusteredMean(
    pairs.flatMap(([one, two]) =>
      strataOf(one, average).map(stratum => ({ value: value(one, two), cluster: one.clip, stratum })),
    ),
    'difference',
  )
}
