import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Run } from '../run/summary.ts'
import { CodedError, messageOf, reasonOf } from '../shared/errors.ts'
import { makeFolder } from '../shared/files.ts'
import { lockFolder } from '../shared/folder-lock.ts'
import { UsageError } from './arguments.ts'

export const runLockName = 'run.lock'

/** A run directory that this process alone works in. */
export interface RunLock {
  /** Aborts the run as soon as the directory is no longer its own. */
  watch(run: Run): void
  /** Whether the directory was removed or replaced, or another process took it over. */
  isLost(): boolean
  release(): void
}

/** Takes the directory of a new run, which must hold none yet, or of one that goes on. */
export function lockRun(directory: string, isNew: boolean): RunLock {
  let lost: Error | undefined
  let started: Run | undefined
  makeRunFolder(directory)
  const lock = takeLock(directory, error => {
    lost = error
    started?.abort(error)
  })
  if (isNew && holdsRun(directory)) {
    lock.release()
    const advice = `name another folder, or go on with that run: flow run --resume ${directory}`
    throw new UsageError(`--out ${directory}: must be a new folder, found a run in it`, advice)
  }
  return {
    watch: run => {
      started = run
      if (lost) run.abort(lost)
    },
    isLost: () => {
      lock.check()
      return lost !== undefined
    },
    release: lock.release,
  }
}

const holdsRun = (directory: string): boolean => existsSync(join(directory, 'manifest.json'))

/** A new run needs a folder without one: another is refused, by the process that works on its run if one does. */
export function refuseRunIn(directory: string): void {
  if (holdsRun(directory)) lockRun(directory, true).release()
}

function makeRunFolder(directory: string): void {
  try {
    makeFolder(directory)
  } catch (error) {
    throw new UsageError(`--out ${messageOf(error)}`, 'name a folder that can be made')
  }
}

function takeLock(directory: string, onLost: (error: Error) => void) {
  try {
    return lockFolder(directory, runLockName, onLost)
  } catch (error) {
    if (error instanceof CodedError) throw new UsageError(error.message)
    throw new UsageError(`${directory}: must be a folder that can be written to: ${reasonOf(error)}`)
  }
}
