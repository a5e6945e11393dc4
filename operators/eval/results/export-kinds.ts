import type { Benchmark } from '../../read/benchmark-kinds.ts'
import { EvaluationError } from '../evaluation-error.ts'
import type { Result } from './result.ts'
import type { Recipe } from './store.ts'

/** What a form is made of: one result for each question, in the order of the benchmark. */
export interface Exported {
  /** Folder of the results. */
  folder: string
  benchmark: Benchmark
  recipe: Recipe
  results: readonly Result[]
  /** All answers to each of these questions, where there are several. */
  answers: readonly (readonly Result[])[]
}

/** The results of questions with options: the form has no place for answers in one's own words. */
export function choicesIn({ folder, results }: Exported): readonly Result[] {
  const choices = results.filter(({ open }) => open === undefined)
  if (choices.length > 0) return choices
  throw new EvaluationError(
    'no-results',
    `${folder}: must hold answers to questions with options: this form has no place for others`,
  )
}

/** Texts by the names of their files. */
export type Files = Readonly<Record<string, string>>
