import type { Result } from '../../../../operators/eval/results/result.ts'
import { agreeOnRecipe, putResult, writeBenchmark } from '../../../../operators/eval/results/store.ts'
import type { Benchmark, ListedQuestion } from '../../../../operators/read/benchmark-kinds.ts'

/** A result as an evaluation stores it. */
export const madeResult = (id: string, chosen: string | null, rest: Partial<Result> = {}): Result => ({
  id,
  benchmark: 'made',
  tasks: ['order'],
  groups: {},
  clip: `${id}.mp4`,
  question: 'Which?\nA. x\nB. y\nC. z\nAnswer with a letter.',
  options: ['x', 'y', 'z'],
  letters: ['A', 'B', 'C'],
  answer: 'A',
  outcome: chosen === 'A' ? 'right' : chosen === null ? 'unparsed' : 'wrong',
  chosen,
  drawn: false,
  output: chosen ?? 'hm',
  tokens: 1,
  finished: true,
  prompt: null,
  indices: [],
  framesPerSecond: null,
  sheet: null,
  message: null,
  ...rest,
})

/** The answers to one question: a letter each, `-` for none. */
export const answersOf = (id: string, letters: string, rest: Partial<Result> = {}): Result[] =>
  [...letters].map((letter, repeat) =>
    madeResult(id, letter === '-' ? null : letter, { ...(repeat > 0 && { repeat }), ...rest }),
  )

interface Made {
  recipe?: Readonly<Record<string, unknown>>
  listed?: (question: ListedQuestion) => ListedQuestion
  shard?: readonly [number, number]
  /** Questions that the benchmark has, where the folder does not hold all. */
  ids?: readonly string[]
}

/** Writes a folder of results and returns it. */
export function madeFolder(folder: string, results: readonly Result[], made: Made = {}): string {
  const { recipe = { model: folder }, listed = one => one, shard: [shard, shards] = [1, 1] } = made
  const ids = made.ids ?? [...new Set(results.map(({ id }) => id))]
  const questions = ids.map(id => listed({ id, clip: `${id}.mp4` }))
  const benchmark: Benchmark = {
    name: 'made',
    headline: 'micro',
    questions,
    excluded: [],
    findings: [],
    shard,
    shards,
  }
  agreeOnRecipe(folder, recipe)
  writeBenchmark(folder, benchmark)
  for (const result of results) putResult(folder, result)
  return folder
}
