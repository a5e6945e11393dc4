import { createHash } from '../../platform/digests.ts'
import { existsSync, readdir, rename, rm, symlink, writeFile } from '../../platform/files.ts'
import { join } from '../../platform/paths.ts'
import { contentOf } from '../../shared/content.ts'
import { codeOf, messageOf } from '../../shared/errors.ts'
import { makeFolder } from '../../shared/files.ts'
import { inside } from '../../shared/inside.ts'
import { isObject, readJsonObject } from '../../shared/json.ts'
import { sync, syncFolder } from '../../shared/replace-file.ts'
import { RunError } from '../error.ts'
import type { CursorState } from '../node/cursor.ts'

/** The engine's own state of a run; nodes and resources have folders of their own next to it. */
export interface RunState {
  readonly version: 1
  readonly seed: number
  readonly acknowledged: number
  readonly skipped: number
  /** The same by name of the node. */
  readonly skips?: Readonly<Record<string, number>>
  /** By name of the source. */
  readonly cursors: Readonly<Record<string, CursorState>>
  /** The latest value of each feedback edge with `keep: latest`, by name of the edge. */
  readonly edges: Readonly<Record<string, unknown>>
  /** For each input with several edges, the index of the edge whose turn is next, by node.port. */
  readonly turns?: Readonly<Record<string, number>>
  /** Bytes of each of the run's files. */
  readonly files: Readonly<Record<string, number>>
  readonly best?: { readonly checkpoint: string; readonly value: number }
  /** Size and digest of every other file of the checkpoint, by its path within: tells a damaged one. */
  readonly contents?: Readonly<Record<string, string>>
  /** Digest of all other fields: tells a damaged state. */
  readonly digest?: string
}

const stateFile = 'state.json'
const checkpointName = /^\d+$/

/** The run's folder of checkpoints, each named by the items acknowledged. */
export const checkpointsOf = (directory: string): string => join(directory, 'checkpoints')

/** The complete checkpoints of a run, oldest first; an interrupted save has another name. */
export async function listCheckpoints(directory: string): Promise<string[]> {
  const folder = checkpointsOf(directory)
  if (!existsSync(folder)) return []
  const names = (await readdir(folder)).filter(name => checkpointName.test(name))
  return names.sort((a, b) => Number(a) - Number(b))
}

/** The engine's own state in a checkpoint's folder. */
export async function readState(folder: string): Promise<RunState> {
  const path = join(folder, stateFile)
  try {
    const state = readJsonObject(path)
    if (state.version !== 1)
      throw new Error(`${path}: its version is ${show(state.version)}, this program reads version 1`)
    if (!isState(state)) throw new Error(`${path}: must hold the state of a run, found other fields`)
    const { digest, ...fields } = state
    if (digest !== undefined && digest !== digestOf(fields))
      throw new Error(`${path}: must be as it was written, found other values`)
    return state
  } catch (error) {
    throw new RunError('checkpoint-mismatch', messageOf(error), { cause: error })
  }
}

/** What is damaged in a checkpoint, or undefined when it is as it was written. */
export async function damageOf(folder: string): Promise<string | undefined> {
  try {
    const { contents } = await readState(folder)
    for (const [name, content] of Object.entries(contents ?? {})) {
      const path = inside(folder, name)
      if (!existsSync(path)) return `${path}: is missing`
      const found = contentOf(path)
      if (found !== content) return `${path}: was ${content} when it was written, is ${found}`
    }
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

const show = (value: unknown): string => JSON.stringify(value) ?? 'missing'

const digestOf = (state: object): string =>
  createHash('sha256').update(JSON.stringify(state)).digest('hex').slice(0, 16)

function isState(state: Record<string, unknown>): state is Record<string, unknown> & RunState {
  const { seed, acknowledged, skipped, skips, cursors, edges, turns, files, best, contents } = state
  return (
    [seed, acknowledged, skipped].every(isCount) &&
    (skips === undefined || isTable(skips, isCount)) &&
    isTable(cursors, isCursor) &&
    isObject(edges) &&
    (turns === undefined || isTable(turns, isCount)) &&
    isTable(files, isCount) &&
    (best === undefined || isObject(best)) &&
    (contents === undefined || isTable(contents, value => typeof value === 'string'))
  )
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

const isTable = (value: unknown, isRow: (row: unknown) => boolean): boolean =>
  isObject(value) && Object.values(value).every(isRow)

const isCursor = (value: unknown): boolean =>
  isObject(value) &&
  isCount(value.found) &&
  isCount(value.digest) &&
  Array.isArray(value.open) &&
  value.open.every(isCount)

/**
 * Writes a checkpoint into a folder with another name, forces it to the disk, and renames it. An interruption at any
 * byte leaves the earlier checkpoints as they were. Then all but the newest `keep` and the best one are removed, and the
 * link `last` leads to the newest.
 */
export async function writeCheckpoint(
  directory: string,
  { state, keep, write }: { state: RunState; keep: number; write: (folder: string) => Promise<void> },
): Promise<void> {
  const root = checkpointsOf(directory)
  const name = checkpointNameOf(state.acknowledged)
  const partial = join(root, `.partial-${name}`)
  try {
    await removeLeftovers(directory)
    makeFolder(partial)
    // the names of `checkpoints` and of the files that the state counts: a new name is lost in a power cut until then
    syncFolder(directory)
    await write(partial)
    const whole = { ...state, contents: await contentsOf(partial) }
    const text = JSON.stringify({ ...whole, digest: digestOf(whole) }, null, 2)
    await writeFile(join(partial, stateFile), `${text}\n`)
    await syncTree(partial)
    await rename(partial, join(root, name))
    await linkLast(root, name)
    syncFolder(root)
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw new RunError('checkpoint-failed', `cannot write ${join(root, name)}: ${remedyOf(error)}`, {
      cause: error,
    })
  }
  const names = await listCheckpoints(directory)
  for (const old of names.slice(0, -keep)) if (old !== state.best?.checkpoint) await discard(root, old)
}

export const checkpointNameOf = (acknowledged: number): string => String(acknowledged).padStart(6, '0')

/** Removes the folders of interrupted saves. */
export async function removeLeftovers(directory: string): Promise<void> {
  const root = checkpointsOf(directory)
  if (!existsSync(root)) return
  for (const name of await readdir(root)) {
    if (name.startsWith('.')) await rm(join(root, name), { recursive: true, force: true })
  }
}

/** Removes a checkpoint; it is renamed first, so that a half removed folder does not look like one. */
export async function discard(root: string, name: string): Promise<void> {
  const old = join(root, `.old-${name}`)
  await rename(join(root, name), old)
  await rm(old, { recursive: true, force: true })
}

/** Only a convenience for people and later stages; some file systems do not support symlinks, so failure is ignored. */
async function linkLast(root: string, name: string): Promise<void> {
  const link = join(root, '.last')
  const linked = await symlink(name, link, 'dir').then(
    () => true,
    () => false,
  )
  if (linked) await rename(link, join(root, 'last'))
}

/** Digests of all files in a folder and those in it. */
async function contentsOf(root: string, below = ''): Promise<Record<string, string>> {
  const contents: Record<string, string> = {}
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const name = join(below, entry.name)
    if (entry.isDirectory()) Object.assign(contents, await contentsOf(root, name))
    else contents[name] = contentOf(join(root, name))
  }
  return contents
}

/** Renames a damaged checkpoint, so that none takes it for one, and it can still be looked at. */
export async function setAside(root: string, name: string): Promise<string> {
  const place = join(root, `damaged-${name}`)
  await rm(place, { recursive: true, force: true })
  await rename(join(root, name), place)
  return place
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncTree(path)
    else await sync(path)
  }
  syncFolder(folder)
}

function remedyOf(error: unknown): string {
  const full = codeOf(error) === 'ENOSPC'
  const remedy = 'the disk is full: free some space, then go on with --resume; earlier checkpoints are whole'
  return full ? remedy : messageOf(error)
}
