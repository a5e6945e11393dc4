import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileInside, inside } from '../../../engine/shared/inside.ts'
import type { Benchmark } from '../../read/benchmark-kinds.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { recipeDifferences } from './recipe-fields.ts'
import { writeReport } from './report.ts'
import { type Result, sheetField } from './result.ts'
import {
  agreeOnRecipe,
  appendTiming,
  putResult,
  readBenchmark,
  readRecipe,
  readResults,
  readTimings,
  writeBenchmark,
} from './store.ts'

/**
 * Puts the results of shards into one folder and reports them. Throws `other-recipe` when two were not made alike,
 * `conflict` when they disagree about a question, and `incomplete` when a question of the benchmark has no result.
 * Returns what was checked, a line each.
 */
export async function mergeResults(out: string, folders: readonly string[]): Promise<string[]> {
  const parts = folders.map(folder => ({
    folder,
    recipe: readRecipe(folder),
    benchmark: readBenchmark(folder),
    results: readResults(folder, readBenchmark(folder)),
  }))
  const [first, ...others] = parts
  if (!first) throw new EvaluationError('no-results', 'merge: must be given folders of results, found none')
  for (const { folder, recipe, benchmark } of others) {
    const differences = recipeDifferences(first.recipe, recipe)
    if (!sameQuestions(first.benchmark, benchmark)) differences.push('the questions of the benchmark')
    if (differences.length > 0)
      throw new EvaluationError(
        'other-recipe',
        `${folder}: must be made like ${first.folder}, differs in ${differences.join('; ')}`,
      )
  }
  const { merged, twice } = unite(parts)
  const missing = first.benchmark.questions.filter(({ id }) => !merged.has(id)).map(({ id }) => id)
  const parted = parts.map(({ folder, results }) => `${folder}: ${results.length} results`)
  if (missing.length > 0)
    throw new EvaluationError(
      'incomplete',
      `${missing.length} of ${first.benchmark.questions.length} questions have no result: ` +
        `${missing.slice(0, 10).join(', ')}${missing.length > 10 ? ', …' : ''} (${parted.join('; ')})`,
    )
  agreeOnRecipe(out, first.recipe)
  const whole = { ...first.benchmark, shard: 1, shards: 1 }
  writeBenchmark(out, whole)
  for (const { folder, results } of parts) {
    const isNew = new Set(results.filter(result => putResult(out, result)).map(({ id }) => id))
    for (const { id, sheet } of results) if (isNew.has(id) && sheet !== null) copySheet(folder, out, sheet)
    for (const timing of readTimings(folder)) if (isNew.has(timing.id)) appendTiming(out, timing)
  }
  const { line } = await writeReport(out, whole)
  const count = first.benchmark.questions.length
  return [...parted, `complete: ${count} of ${count} questions; unique: ${twice} held twice, alike`, line]
}

const sameQuestions = (one: Benchmark, other: Benchmark): boolean =>
  JSON.stringify([one.name, one.questions]) === JSON.stringify([other.name, other.questions])

function unite(parts: readonly { folder: string; results: readonly Result[] }[]): {
  merged: Map<string, string>
  twice: number
} {
  const merged = new Map<string, string>()
  let twice = 0
  for (const { folder, results } of parts)
    for (const result of results) {
      // before anything is written
      if (result.sheet !== null) inside(folder, result.sheet, sheetField)
      // copies of a clip have another time
      const text = JSON.stringify({ ...result, digests: undefined })
      const known = merged.get(result.id)
      if (known === undefined) merged.set(result.id, text)
      else if (known === text) twice++
      else
        throw new EvaluationError(
          'conflict',
          `${folder}: another result for ${result.id} than in a folder before it`,
        )
    }
  return { merged, twice }
}

function copySheet(from: string, to: string, sheet: string): void {
  const source = fileInside(from, sheet, sheetField)
  const target = inside(to, sheet, sheetField)
  if (source === undefined || existsSync(target)) return
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(source, target)
}
