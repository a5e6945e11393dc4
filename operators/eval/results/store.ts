import type { Context } from '../../../engine/operator.ts'
import { createHash } from '../../../engine/platform/digests.ts'
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from '../../../engine/platform/files.ts'
import { dirname, join } from '../../../engine/platform/paths.ts'
import { CodedError, messageOf } from '../../../engine/shared/errors.ts'
import { makeFolder, refuseUnlessFile } from '../../../engine/shared/files.ts'
import { inside } from '../../../engine/shared/inside.ts'
import { isObject, readJsonObject } from '../../../engine/shared/json.ts'
import { createFile, replaceFile } from '../../../engine/shared/replace-file.ts'
import type { StageSeconds } from '../../question.ts'
import type { Benchmark, ListedQuestion } from '../../read/benchmark-kinds.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { type Recipe, recipeDifferences, recipeDigests, repeatsOf } from './recipe-fields.ts'
import { faultOf, isCurrent, type Result, sheetField } from './result.ts'
import {
  faultIn,
  isCount,
  isNumber,
  isText,
  listOf,
  objectOf,
  orAbsent,
  type Shape,
  tableOf,
} from './shape.ts'

export type { Recipe } from './recipe-fields.ts'

/** What a question cost; not part of its result, because it differs from run to run. */
export interface Timing extends StageSeconds {
  id: string
  clip: string
  tokens: number
}

/** The folder that a config names, or one in the run's own. */
export const resultsFolder = (folder: string, context: Context): string =>
  folder === '' ? join(context.runDirectory, ofRun) : folder

/** Where the results of one of several numbers of frames are: a folder like that of a run with this number alone. */
export const folderOfCount = (folder: string, count: number | undefined): string =>
  count === undefined ? folder : join(folder, `frames-${count}`)

/** A file name made from any text: the same one from the same text. */
export const fileName = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24)

/** The file of a result. The first of a question's repeats has the name that one without repeats has. */
export const resultPath = (folder: string, id: string, repeat = 0): string =>
  join(folder, 'results', `${fileName(repeat === 0 ? id : `${id}\nrepeat ${repeat}`)}.json`)

/**
 * Commits a result: the first one that is made of the same things stays, whichever process writes the second; one that is made of
 * others, or whose clip lay elsewhere, is replaced. True when it was this one. A file appears with all its bytes or not at all, so a process may be
 * killed at any moment. A verdict takes the place of none.
 */
export function putResult(folder: string, result: Result): boolean {
  const path = resultPath(folder, result.id, result.repeat)
  const text = `${JSON.stringify(result)}\n`
  makeFolder(join(folder, 'results'))
  if (createFile(path, text)) return true
  const known = readResult(path, setAside())
  const isJudgedNow = known?.outcome === 'unjudged' && result.outcome !== 'unjudged'
  if (isCurrent(known, result.digests) && known?.clip === result.clip && !isJudgedNow) return false
  replaceFile(path, text)
  return true
}

/** What becomes of a file that does not hold what it should. */
type Damaged = (path: string, message: string, error?: unknown) => void

/** Renames a damaged file, so that it is made again and can still be looked at. */
export function setAside(warn: (line: string) => void = () => {}): Damaged {
  return (path, message) => {
    renameSync(path, `${path}.damaged`)
    warn(`${message}; it was renamed to *.damaged and is made again`)
  }
}

const refuse: Damaged = (_, message, error) => {
  if (error !== undefined) throw error
  throw new EvaluationError('bad-results', `${message}; evaluate into this folder again to make it anew`)
}

/** The result in a file; undefined when there is none, or when it is damaged. */
export function readResult(path: string, damaged: Damaged): Result | undefined {
  const value = readOr(path, damaged)
  if (value === undefined) return undefined
  const fault = faultOf(value)
  if (fault !== undefined) {
    damaged(path, `${path}: must hold a result: ${fault}`)
    return undefined
  }
  const result = value as unknown as Result // `faultOf` has looked at its fields
  try {
    if (result.sheet !== null) inside(dirname(dirname(path)), result.sheet, sheetField)
    return result
  } catch (error) {
    damaged(path, messageOf(error), error)
    return undefined
  }
}

/** The object in a file; undefined when there is no file, or when it is torn. */
function readOr(path: string, damaged: Damaged): Record<string, unknown> | undefined {
  try {
    return readJsonObject(path)
  } catch (error) {
    const code = error instanceof CodedError ? error.code : undefined
    if (code === 'missing-file') return undefined
    if (code !== 'torn-file') throw error
    damaged(path, messageOf(error))
    return undefined
  }
}

/** The object in a file that nothing depends on; undefined when it cannot be read. */
export const readIfWhole = (path: string): Record<string, unknown> | undefined => readOr(path, () => {})

/** All results of a folder that its recipe and its benchmark still stand for, in the order of the benchmark. */
export function readResults(folder: string, { questions }: Pick<Benchmark, 'questions'>): Result[] {
  const digests = recipeDigests(readRecipe(folder))
  const stored = new Map<string, Result>()
  for (const path of resultFiles(folder)) {
    const result = readResult(path, refuse)
    if (result) stored.set(`${result.repeat ?? 0} ${result.id}`, result)
  }
  const repeats = Array.from({ length: repeatsOf(readRecipe(folder)) }, (_, repeat) => repeat)
  return questions.flatMap(({ id, question, gold }: ListedQuestion) =>
    repeats.flatMap(repeat => {
      const result = stored.get(`${repeat} ${id}`)
      const listed = { ...digests, ...(question && { question }), ...(gold && { gold }) }
      return result && (!result.digests || isCurrent(result, listed)) ? result : []
    }),
  )
}

/** The files that hold results. */
export function resultFiles(folder: string): string[] {
  const place = join(folder, 'results')
  const names = existsSync(place) ? readdirSync(place) : []
  return names.filter(name => /^[0-9a-f]{24}\.json$/.test(name)).map(name => join(place, name))
}

/** Writes the recipe of a new folder, or checks that the folder has the same one. */
export function agreeOnRecipe(folder: string, recipe: Recipe): void {
  makeFolder(folder)
  createFile(join(folder, 'recipe.json'), recipeText(recipe))
  const differences = recipeDifferences(readRecipe(folder), recipe)
  if (differences.length === 0) return
  throw new EvaluationError(
    'other-recipe',
    `${folder}: holds results of another recipe: ${differences.join('; ')}; choose another folder`,
  )
}

const recipeText = (recipe: Recipe): string => `${JSON.stringify(recipe, null, 2)}\n`

export const replaceRecipe = (folder: string, recipe: Recipe): void =>
  replaceFile(join(folder, 'recipe.json'), recipeText(recipe))

/** The recipe of a folder that may be new. */
export const recipeIn = (folder: string, damaged: Damaged = refuse): Recipe | undefined =>
  readOr(join(folder, 'recipe.json'), damaged)

export function readRecipe(folder: string): Recipe {
  refuseFile(folder)
  return recipeIn(folder) ?? missing(folder, 'recipe.json')
}

function refuseFile(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isFile())
    throw new EvaluationError('no-results', `${folder}: must be a folder of an evaluation, found a file`)
}

export function writeBenchmark(folder: string, benchmark: Benchmark): void {
  makeFolder(folder)
  replaceFile(join(folder, 'benchmark.json'), `${JSON.stringify(benchmark)}\n`)
}

export function readBenchmark(folder: string): Benchmark {
  refuseFile(folder)
  const path = join(folder, 'benchmark.json')
  const value = readOr(path, refuse) ?? missing(folder, 'benchmark.json')
  const fault = faultIn(value, benchmarkShape)
  if (fault !== undefined) refuse(path, `${path}: must hold a benchmark: ${fault}`)
  return value as unknown as Benchmark // the shape was looked at
}

const benchmarkShape: Shape<keyof Benchmark> = {
  name: isText,
  headline: value => /^(micro|tasks|groups\..+)$/.test(String(value)),
  unions: orAbsent(tableOf(listOf(isText))),
  questions: listOf(
    objectOf({ id: isText, clip: isText, question: orAbsent(isText), gold: orAbsent(isText) }),
  ),
  excluded: listOf(objectOf({ id: isText, reason: isText })),
  findings: listOf(objectOf({ code: isText, about: isText })),
  shard: isCount,
  shards: value => isCount(value) && value !== 0,
}

function missing(folder: string, name: string): never {
  const inside = join(folder, ofRun, name)
  const found = existsSync(inside)
    ? `those of its run in ${join(folder, ofRun)}`
    : existsSync(join(folder, 'metrics.jsonl'))
      ? 'a training run, which "flow show" and "flow diff" read'
      : existsSync(folder)
        ? (setsOfFrames(folder, name) ?? `no ${name} in it`)
        : 'nothing there'
  throw new EvaluationError('no-results', `${folder}: must be a folder of an evaluation, found ${found}`)
}

/** What an evaluation with several numbers of frames leaves in its folder: one of results for each number. */
function setsOfFrames(folder: string, name: string): string | undefined {
  const sets = readdirSync(folder)
    .filter(set => /^frames-\d+$/.test(set))
    .map(set => inside(folder, set))
    .filter(set => existsSync(join(set, name)))
  return sets.length === 0 ? undefined : `one for each number of frames: ${sets.join(' ')}`
}

/** Where a run keeps the results of an evaluation that names no folder for them. */
const ofRun = 'evaluation'

/** Removes what the folder says as a whole; the results stay. */
export function removeReports(folder: string): void {
  const names = ['results.jsonl', ...['json', 'csv', 'md', 'html'].map(ending => `report.${ending}`)]
  for (const name of names) rmSync(join(folder, name), { force: true })
}

export function appendTiming(folder: string, timing: Timing): void {
  appendFileSync(join(folder, 'timings.jsonl'), `${JSON.stringify(timing)}\n`)
}

const timingShape: Shape<keyof Timing> = {
  id: isText,
  clip: isText,
  tokens: isNumber,
  decode: orAbsent(isNumber),
  encode: orAbsent(isNumber),
  generate: orAbsent(isNumber),
}

/** Timings of all attempts; a line that a kill cut off is passed over. */
export function readTimings(folder: string): Timing[] {
  const path = join(folder, 'timings.jsonl')
  if (!existsSync(path)) return []
  refuseUnlessFile(path)
  if (statSync(path).isDirectory()) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap(line => {
      try {
        const value: unknown = JSON.parse(line)
        if (!isObject(value) || faultIn(value, timingShape) !== undefined) return []
        return [value as unknown as Timing] // the shape was looked at
      } catch {
        return []
      }
    })
}
