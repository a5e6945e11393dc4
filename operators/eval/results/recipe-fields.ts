import { digestOf } from '../../question-digests.ts'

/** Everything that decides the results of a folder. */
export type Recipe = Readonly<Record<string, unknown>>

/**
 * Fields that change no answer: questions and clips have digests of their own, and of a model its content counts, not
 * its place.
 */
const isAside = (name: string, recipe: Recipe): boolean =>
  ['benchmark', 'variant', 'repeats'].includes(name) || (name === 'model' && 'weights' in recipe)

/** Fields that decide what an answer counts as. */
const isScoring = (name: string): boolean => name === 'scorer' || name.startsWith(scoringPrefix)

export const scoringPrefix = 'scoring.'

/** The digests that a result keeps of its recipe. */
export function recipeDigests(recipe: Recipe): { recipe: string; scoring: string } {
  const fields = Object.entries(recipe).filter(([name]) => !isAside(name, recipe))
  const sorted = fields.sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    recipe: digestOf(sorted.filter(([name]) => !isScoring(name))),
    scoring: digestOf(sorted.filter(([name]) => isScoring(name))),
  }
}

/** Answers that each question gets. */
export const repeatsOf = ({ repeats }: Recipe): number =>
  typeof repeats === 'number' && Number.isInteger(repeats) && repeats > 0 ? repeats : 1

/** One text for each field in which two recipes differ. */
export function recipeDifferences(one: Recipe, other: Recipe): string[] {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort()
  return names
    .filter(name => !(name === 'model' && 'weights' in one && 'weights' in other))
    .filter(name => JSON.stringify(one[name]) !== JSON.stringify(other[name]))
    .map(name => `${name} ${shown(one[name])} and ${shown(other[name])}`)
}

/** A recipe of an earlier version may lack a field. */
const shown = (value: unknown): string => (value === undefined ? 'not stated' : JSON.stringify(value))
