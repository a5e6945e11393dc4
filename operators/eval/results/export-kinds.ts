import type { Benchmark } from '../../read/benchmark-kinds.ts'
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

/** Texts by the names of their files. */
export type Files = Readonly<Record<string, string>>
