import { createHash, randomUUID } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import type { Context } from '../../../engine/operator.ts'
import { codeOf } from '../../../engine/shared/errors.ts'
import { replaceFile } from '../../../engine/shared/replace-file.ts'
import type { StageSeconds } from '../../question.ts'
import type { Benchmark } from '../../read/benchmark-kinds.ts'
import { EvaluationError } from '../evaluation-error.ts'
import type { Result } from './result.ts'

/** What a question cost; not part of its result, because it differs from run to run. */
export interface Timing extends StageSeconds {
  id: string
  clip: string
  tokens: number
}

export type Recipe = Readonly<Record<string, unknown>>

/** The folder that a config names, or one in the run's own. */
export const resultsFolder = (folder: string, context: Context): string =>
  folder === '' ? join(context.runDirectory, 'evaluation') : folder

/** A file name made from any text: the same one from the same text. */
export const fileName = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24)

const pathOf = (folder: string, id: string): string => join(folder, 'results', `${fileName(id)}.json`)

/**
 * Commits a result: the first one of a question stays, whichever process writes the second, unless it is to be replaced. True when
 * it was this one. A file appears with all its bytes or not at all, so a process may be killed at any moment.
 */
export function putResult(folder: string, result: Result, isReplaced = false): boolean {
  const path = pathOf(folder, result.id)
  const text = `${JSON.stringify(result)}\n`
  if (!isReplaced) return putIfAbsent(path, text)
  replaceFile(path, text)
  return true
}

export interface StoredResult {
  path: string
  /** Absent when the file holds something else, as after a loss of power. */
  result: Result | undefined
  writtenMs: number
}

/** What is stored about a question, if there is anything. */
export function storedResult(folder: string, id: string): StoredResult | undefined {
  const path = pathOf(folder, id)
  const writtenMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return writtenMs === undefined ? undefined : { path, result: readResult(path), writtenMs }
}

/** All results of a folder, in the order of the benchmark. */
export function readResults(folder: string, { questions }: Pick<Benchmark, 'questions'>): Result[] {
  const inFolder = join(folder, 'results')
  const names = existsSync(inFolder)
    ? readdirSync(inFolder).filter(name => /^[0-9a-f]{24}\.json$/.test(name))
    : []
  const results = names.flatMap(name => readResult(join(inFolder, name)) ?? [])
  const byId = new Map(results.map(result => [result.id, result]))
  return questions.flatMap(({ id }) => byId.get(id) ?? [])
}

function readResult(path: string): Result | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    // written by `putResult` alone: an object is a result
    return typeof value === 'object' && value !== null ? (value as Result) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Writes the recipe of a new folder, or checks that the folder has the same one. */
export function agreeOnRecipe(folder: string, recipe: Recipe): void {
  const path = join(folder, 'recipe.json')
  putIfAbsent(path, `${JSON.stringify(recipe, null, 2)}\n`)
  const differences = recipeDifferences(readRecipe(folder), recipe)
  if (differences.length === 0) return
  throw new EvaluationError(
    'other-recipe',
    `${folder}: holds results of another recipe: ${differences.join('; ')}; choose another folder`,
  )
}

// written by `agreeOnRecipe` alone
export const readRecipe = (folder: string): Recipe => {
  const path = join(folder, 'recipe.json')
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Recipe
  throw new EvaluationError(
    'no-results',
    `${folder}: must be a folder of an evaluation, found no recipe.json`,
  )
}

/** One text for each field in which two recipes differ. */
export function recipeDifferences(one: Recipe, other: Recipe): string[] {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort()
  return names
    .filter(name => JSON.stringify(one[name]) !== JSON.stringify(other[name]))
    .map(name => `${name} ${JSON.stringify(one[name])} and ${JSON.stringify(other[name])}`)
}

export function writeBenchmark(folder: string, benchmark: Benchmark): void {
  mkdirSync(folder, { recursive: true })
  replaceFile(join(folder, 'benchmark.json'), `${JSON.stringify(benchmark)}\n`)
}

// written by `writeBenchmark` alone
export const readBenchmark = (folder: string): Benchmark => {
  const path = join(folder, 'benchmark.json')
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Benchmark
  throw new EvaluationError(
    'no-results',
    `${folder}: must be a folder of an evaluation, found no benchmark.json`,
  )
}

export function appendTiming(folder: string, timing: Timing): void {
  appendFileSync(join(folder, 'timings.jsonl'), `${JSON.stringify(timing)}\n`)
}

/** Timings of all attempts; a line that a kill cut off is passed over. */
export function readTimings(folder: string): Timing[] {
  const path = join(folder, 'timings.jsonl')
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap(line => {
      try {
        return [JSON.parse(line) as Timing] // written by `appendTiming` alone
      } catch {
        return []
      }
    })
}

export interface Claims {
  /** Whether this claimant may work on the clip: nobody else has it, or who had it is gone. */
  take(clip: string): boolean
}

/**
 * Keeps processes that share a folder from doing the same work. Only a saving: results are committed once, whichever process
 * works. A claim ends when its process is gone, on another machine after `seconds`.
 */
export function openClaims(folder: string, seconds: number): Claims {
  const token = randomUUID()
  const own = JSON.stringify({ host: hostname(), pid: process.pid, token })
  return {
    take(clip) {
      const path = join(folder, 'claims', fileName(clip))
      if (putIfAbsent(path, own)) return true
      if (holderOf(path) === own) return true
      if (isHeld(path, seconds)) return false
      rmSync(path, { force: true })
      return putIfAbsent(path, own)
    },
  }
}

function isHeld(path: string, seconds: number): boolean {
  const age = (Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)) / 1000
  if (age > seconds) return false
  const { host, pid } = JSON.parse(holderOf(path) || '{}') as { host?: string; pid?: number } // written by `take`
  if (host !== hostname() || pid === undefined) return host !== undefined
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function holderOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // another process has just removed it
  }
}

/** Makes a file with this text unless it is there. A link to a written file is made whole or not at all. */
function putIfAbsent(path: string, text: string): boolean {
  mkdirSync(dirname(path), { recursive: true })
  const partial = `${path}.${randomUUID()}.part`
  writeFileSync(partial, text)
  try {
    linkSync(partial, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(partial)
  }
}
