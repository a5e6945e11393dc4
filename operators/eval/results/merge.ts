import { copyFileSync, existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { makeFolder } from '../../../engine/shared/files.ts'
import { fileInside, inside } from '../../../engine/shared/inside.ts'
import { stemOf } from '../../files/video-extensions.ts'
import type { Benchmark, ListedQuestion } from '../../read/benchmark-kinds.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { recipeDifferences, repeatsOf } from './recipe-fields.ts'
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
  const read = folders.map(folder => ({
    folder,
    recipe: readRecipe(folder),
    benchmark: readBenchmark(folder),
    results: readResults(folder, readBenchmark(folder)),
  }))
  const places = new Map(read[0]?.benchmark.questions.map(({ id, clip }) => [id, clip]))
  // a clip may lie in another folder on another machine
  const parts = read.map(part => ({
    ...part,
    results: part.results.map(result => ({ ...result, clip: places.get(result.id) ?? result.clip })),
  }))
  const [first, ...others] = parts
  if (!first) throw new EvaluationError('no-results', 'merge: must be given folders of results, found none')
  refuseMixedVersions(parts)
  for (const { folder, recipe, benchmark } of others) {
    const differences = [
      ...recipeDifferences(first.recipe, recipe),
      ...questionDifferences(first.benchmark, benchmark),
    ]
    if (differences.length > 0)
      throw new EvaluationError(
        'other-recipe',
        `${folder}: must be made like ${first.folder}, differs in ${differences.join('; ')}`,
      )
  }
  const { merged, twice } = unite(parts)
  const answers = Array.from({ length: repeatsOf(first.recipe) }, (_, repeat) => repeat)
  const missing = first.benchmark.questions
    .filter(({ id }) => answers.some(repeat => !merged.has(keyOf({ id, repeat }))))
    .map(({ id }) => id)
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
  const unsure = hasDigests(first)
    ? []
    : [
        'made by an earlier version of flow: whether true answers, options and words are alike could not be checked',
      ]
  return [
    ...parted,
    ...unsure,
    `complete: ${count} of ${count} questions; unique: ${twice} held twice, alike`,
    line,
  ]
}

/** One of the answers to a question. */
const keyOf = ({ id, repeat = 0 }: { id: string; repeat?: number }): string => `${repeat} ${id}`

interface Part {
  folder: string
  benchmark: Benchmark
}

const hasDigests = ({ benchmark }: Part): boolean =>
  benchmark.questions.every(({ question, gold }) => question !== undefined && gold !== undefined)

/** Folders of versions before digests do not tell which questions they asked. */
function refuseMixedVersions(parts: readonly Part[]): void {
  const old = parts.find(part => !hasDigests(part))
  if (!old || !parts.some(hasDigests)) return
  throw new EvaluationError(
    'other-recipe',
    `${old.folder}: was made by an earlier version of flow, which did not note what its results were made of, so that they cannot be merged with newer ones: evaluate into it again with this version`,
  )
}

/** How the questions of two benchmarks differ. */
function questionDifferences(one: Benchmark, other: Benchmark): string[] {
  if (one.name !== other.name) return [`the benchmark, ${one.name} and ${other.name}`]
  const others = new Map(other.questions.map(question => [question.id, question]))
  const named = (what: string, ids: readonly string[]) =>
    ids.length === 0
      ? []
      : [
          `${what} of ${ids.length} ${ids.length === 1 ? 'question' : 'questions'}: ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ', …' : ''}`,
        ]
  const lacking = one.questions.filter(({ id }) => !others.has(id)).map(({ id }) => id)
  const added = other.questions.length - (one.questions.length - lacking.length)
  const differing = (of: (question: ListedQuestion) => string | undefined) =>
    one.questions
      .filter(question => {
        const found = others.get(question.id)
        return found && of(found) !== of(question)
      })
      .map(({ id }) => id)
  return [
    ...(lacking.length > 0 || added > 0
      ? [`the questions: ${lacking.length} are missing, ${added} are new`]
      : []),
    ...named(
      'the true answer, task or group',
      differing(({ gold }) => gold),
    ),
    ...named(
      'the words, options or frames',
      differing(({ question }) => question),
    ),
    ...named(
      'the clip',
      differing(({ clip }) => stemOf(basename(clip))),
    ),
  ]
}

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
      const text = JSON.stringify(result)
      const known = merged.get(keyOf(result))
      if (known === undefined) merged.set(keyOf(result), text)
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
  makeFolder(dirname(target))
  copyFileSync(source, target)
}
