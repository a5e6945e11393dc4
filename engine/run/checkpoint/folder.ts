import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../shared/errors.ts'
import { sync, syncFolder } from '../../shared/replace-file.ts'
import { RunError } from '../error.ts'
import type { CursorState } from '../node/cursor.ts'

/** The engine's own state of a run; nodes and resources have folders of their own next to it. */
export interface RunState {
  readonly version: 1
  readonly seed: number
  readonly acknowledged: number
  readonly skipped: number
  /** By name of the source. */
  readonly cursors: Readonly<Record<string, CursorState>>
  /** The latest value of each feedback edge with `keep: latest`, by name of the edge. */
  readonly edges: Readonly<Record<string, unknown>>
  /** For each input with several edges, the index of the edge whose turn is next, by node.port. */
  readonly turns?: Readonly<Record<string, number>>
  /** Bytes of each of the run's files. */
  readonly files: Readonly<Record<string, number>>
  readonly best?: { readonly checkpoint: string; readonly value: number }
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
    // the engine wrote it whole, or the folder would not have its name
    const state = JSON.parse(await readFile(path, 'utf8')) as RunState
    if (state.version === 1) return state
    throw new Error(`its version is ${state.version}, this program reads version 1`)
  } catch (error) {
    throw new RunError('checkpoint-mismatch', `${path}: cannot be used: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

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
    await mkdir(partial, { recursive: true })
    await write(partial)
    await writeFile(join(partial, stateFile), `${JSON.stringify(state, null, 2)}\n`)
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
