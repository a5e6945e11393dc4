import { randomUUID } from 'node:crypto'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from '../../../engine/operator.ts'
import { codeOf } from '../../../engine/shared/errors.ts'
import { makeFolder } from '../../../engine/shared/files.ts'
import { type FolderLock, lockFolder } from '../../../engine/shared/folder-lock.ts'
import { isPartial, replaceFile } from '../../../engine/shared/replace-file.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { type Recipe, recipeDifferences, recipeDigests } from './recipe-fields.ts'
import { readResult, recipeIn, removeReports, replaceRecipe, resultFiles, setAside } from './store.ts'

/** A folder of results that this process may write to. */
export interface OpenedResults {
  /** Whether a file was written since the first of the processes that work in the folder now began. */
  isOfNow(path: string): boolean
  /** Throws when the folder was removed, or taken over by another process. */
  check(): void
  close(): void
}

export interface OpeningOptions {
  recipe: Recipe
  /** `i/N`: one process alone works on a part of several. The whole is shared by claims. */
  shard: string
  signal: AbortSignal
  log(line: string): void
}

const begun = 'begun.json'

/** Opens the folder once for the whole run. */
export function sharedResults(folder: string, recipe: Recipe, context: Context): Promise<OpenedResults> {
  const { signal, parts } = context
  const shards = parts.map(({ config }) => config.shard)
  const shard = String(shards.find(one => typeof one === 'string' && /^\d+\/\d+$/.test(one)) ?? '1/1')
  const options = { recipe, shard, signal, log: (line: string) => context.log(line) }
  return context.shared(
    keyOf(folder),
    () => openResults(folder, options),
    results => results.close(),
  )
}

/** The folder that `sharedResults` has opened; undefined when the graph has no node that does. */
export const openedResults = (folder: string, context: Context): Promise<OpenedResults | undefined> =>
  context.shared<OpenedResults | undefined>(
    keyOf(folder),
    async () => undefined,
    () => {},
  )

const keyOf = (folder: string): string => `results in ${folder}`

/**
 * Opens a folder for an evaluation. The first process to work in it may change its recipe; one that comes while others
 * work must have theirs. Throws `folder-in-use` for a part that another process works on, and `other-recipe`.
 */
export async function openResults(folder: string, options: OpeningOptions): Promise<OpenedResults> {
  const workers = join(folder, 'workers')
  makeFolder(workers)
  const locks: FolderLock[] = []
  let lost: Error | undefined
  const take = (place: string, name: string) => {
    const lock = lockFolder(place, name, error => {
      lost ??= error
    })
    locks.push(lock)
    return lock
  }
  const close = () => {
    for (const lock of locks.reverse()) lock.release()
  }
  try {
    const { shard } = options
    if (shard !== '1/1') take(folder, `shard-${shard.replace('/', '-of-')}.lock`)
    const opening = await waitFor(() => take(folder, 'opening.lock'), options.signal)
    try {
      const own = `${randomUUID()}.lock`
      take(workers, own)
      if (othersIn(workers, own)) mustAgree(folder, options.recipe)
      else begin(folder, options)
    } finally {
      opening.release()
      locks.splice(locks.indexOf(opening), 1)
    }
  } catch (error) {
    close()
    throw error
  }
  const since = statSync(join(folder, begun)).mtimeMs
  return {
    isOfNow: path => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= since,
    check: () => {
      for (const lock of locks) lock.check()
      if (lost) throw lost
    },
    close,
  }
}

/** Opening takes a moment, so a process waits for another one that opens the folder too. */
async function waitFor(take: () => FolderLock, signal: AbortSignal): Promise<FolderLock> {
  for (;;) {
    try {
      return take()
    } catch (error) {
      if (codeOf(error) !== 'folder-in-use') throw error
      await delay(50, undefined, { signal })
    }
  }
}

/** Whether other processes work in the folder; the locks of those that are gone are removed. */
function othersIn(workers: string, own: string): boolean {
  let isShared = false
  for (const name of readdirSync(workers).filter(one => one.endsWith('.lock') && one !== own))
    try {
      lockFolder(workers, name, () => {}).release()
    } catch (error) {
      if (codeOf(error) !== 'folder-in-use') throw error
      isShared = true
    }
  return isShared
}

function mustAgree(folder: string, recipe: Recipe): void {
  const differences = changes(recipeIn(folder, setAside()), recipe)
  if (differences.length === 0) return
  const rule = 'another process works in it with another recipe'
  throw new EvaluationError(
    'other-recipe',
    `${folder}: ${rule}: ${differences.join('; ')}; wait for it, or choose another folder`,
  )
}

function begin(folder: string, { recipe, log }: OpeningOptions): void {
  const earlier = recipeIn(folder, setAside(log))
  const differences = changes(earlier, recipe)
  if (earlier && differences.length > 0) {
    const isAsked = recipeDigests(earlier).recipe !== recipeDigests(recipe).recipe
    const what = isAsked ? 'every question is asked again' : 'stored answers are scored again'
    log(`${folder}: the recipe was another one, so ${what}: ${differences.join('; ')}`)
  }
  if (!earlier || differences.length > 0) removeReports(folder)
  replaceRecipe(folder, recipe)
  // nobody else works here, so claims and unfinished files were left by processes that are gone
  rmSync(join(folder, 'claims'), { recursive: true, force: true })
  for (const place of [folder, join(folder, 'results')].filter(exists))
    for (const name of readdirSync(place).filter(isPartial)) rmSync(join(place, name), { force: true })
  for (const path of resultFiles(folder)) readResult(path, setAside(log))
  replaceFile(join(folder, begun), `${JSON.stringify({ since: new Date().toISOString() })}\n`)
}

const exists = (folder: string): boolean => statSync(folder, { throwIfNoEntry: false }) !== undefined

/** The differences that make results stale. */
function changes(earlier: Recipe | undefined, recipe: Recipe): string[] {
  if (!earlier) return []
  const [one, other] = [earlier, recipe].map(recipeDigests)
  const isSame = one?.recipe === other?.recipe && one?.scoring === other?.scoring
  return isSame ? [] : recipeDifferences(earlier, recipe)
}
