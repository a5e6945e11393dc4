import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, RunError } from './error.ts'

/** The files of a run. Lines are written at once, whole and in order: what was written survives a crash. */
export interface RunFiles {
  readonly directory: string
  append(name: string, line: string): void
  /** Replaces a file in one step: a reader sees the old text or the new one. */
  replace(name: string, text: string): void
  close(): void
}

/** Makes the run's folder. Faults of the disk become errors that name the file and tell what to do. */
export function openFiles(directory: string): RunFiles {
  const handles = new Map<string, number>()
  const guarded = <T>(name: string, write: () => T): T => {
    try {
      return write()
    } catch (error) {
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC'
      const remedy = full
        ? 'the disk is full: free some space or choose another folder with --out'
        : messageOf(error)
      throw new RunError('write-failed', `cannot write ${join(directory, name)}: ${remedy}`, { cause: error })
    }
  }
  guarded('', () => mkdirSync(directory, { recursive: true }))
  return {
    directory,
    append: (name, line) =>
      guarded(name, () => {
        const handle = handles.get(name) ?? openSync(join(directory, name), 'a')
        handles.set(name, handle)
        const bytes = Buffer.from(`${line}\n`)
        // a nearly full disk takes a part of a line and says so by the count alone
        for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done)
      }),
    replace: (name, text) =>
      guarded(name, () => {
        const path = join(directory, name)
        writeFileSync(`${path}.tmp`, text)
        renameSync(`${path}.tmp`, path)
      }),
    close: () => {
      for (const handle of handles.values()) closeSync(handle)
      handles.clear()
    },
  }
}
