import {
  Buffer,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from '../../platform/files.ts'
import { join } from '../../platform/paths.ts'
import { makeFolder } from '../../shared/files.ts'
import { inside } from '../../shared/inside.ts'
import { replaceFile } from '../../shared/replace-file.ts'
import { RunError } from '../error.ts'
import { whyNotWritten } from './why-not-written.ts'

/** The files of a run. Lines are written at once, whole and in order: what was written survives a crash. */
export interface RunFiles {
  readonly directory: string
  append(name: string, line: string): void
  /** Replaces a file in one step: a reader sees the old text or the new one. */
  replace(name: string, text: string): void
  /** Bytes of every file that lines were appended to, all of them on the disk. */
  sizes(): Record<string, number>
  close(): void
}

/** The log is for people, so it keeps lines from steps that a resume undid. */
export const logFile = 'log.txt'
/** The same with time and level, one object a line. */
export const logEntries = 'log.jsonl'

/**
 * Creates the run's folder. A disk error becomes an error that names the file and a remedy. `earlier` are the files of
 * a run that is resumed.
 */
export function openFiles(directory: string, earlier: readonly string[] = []): RunFiles {
  const handles = new Map<string, number>()
  const names = new Set(earlier)
  const guarded = <T>(name: string, write: () => T): T => {
    try {
      return write()
    } catch (error) {
      const path = join(directory, name)
      throw new RunError('write-failed', `cannot write ${path}: ${whyNotWritten(error)}`, { cause: error })
    }
  }
  guarded('', () => makeFolder(directory))
  return {
    directory,
    append: (name, line) =>
      guarded(name, () => {
        const handle = handles.get(name) ?? openSync(join(directory, name), 'a')
        handles.set(name, handle)
        names.add(name)
        if (!isSameFile(handle, join(directory, name)))
          throw new Error('it was removed or replaced by another program')
        const bytes = Buffer.from(`${line}\n`)
        // a nearly full disk writes only part of a line and returns a smaller count
        for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done)
      }),
    replace: (name, text) => guarded(name, () => replaceFile(join(directory, name), text)),
    sizes: () => {
      for (const [name, handle] of handles) guarded(name, () => fsyncSync(handle))
      const lines = [...names].filter(
        name => name !== logFile && name !== logEntries && existsSync(join(directory, name)),
      )
      return Object.fromEntries(lines.map(name => [name, statSync(join(directory, name)).size]))
    },
    close: () => {
      for (const handle of handles.values()) closeSync(handle)
      handles.clear()
    },
  }
}

/** Whether a path still names the file that was opened: a run whose folder is gone must not go on writing into nothing. */
function isSameFile(handle: number, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false })
  const open = fstatSync(handle)
  return there !== undefined && there.ino === open.ino && there.dev === open.dev
}

/** Why a run's files cannot be those of a checkpoint, or undefined. */
export function filesLost(directory: string, sizes: Readonly<Record<string, number>>): string | undefined {
  for (const [name, size] of Object.entries(sizes)) {
    const path = inside(directory, name, 'a file in the state of a checkpoint')
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat && !stat.isFile()) return `${path}: must be a file, as it was at the checkpoint`
    const found = stat?.size ?? 0
    if (found < size) return `${path}: must hold at least the ${size} bytes of the checkpoint, found ${found}`
    if (size > 0 && !endsLine(path, size))
      return `${path}: must have a line that ends after ${size} bytes, as it had at the checkpoint; it was changed`
  }
  return undefined
}

/** Whether the first `size` bytes of a file are whole lines. */
function endsLine(path: string, size: number): boolean {
  const file = openSync(path, 'r')
  try {
    const last = Buffer.alloc(1)
    readSync(file, last, 0, 1, size - 1)
    return last.toString() === '\n'
  } finally {
    closeSync(file)
  }
}

/** Truncates a run's files to their sizes at a checkpoint; files that did not exist then are emptied. */
export function rewindFiles(directory: string, sizes: Readonly<Record<string, number>>): void {
  for (const name of Object.keys(sizes)) inside(directory, name, 'a file in the state of a checkpoint')
  const lost = filesLost(directory, sizes)
  if (lost !== undefined) throw new RunError('checkpoint-mismatch', lost)
  const isLines = (name: string) => name.endsWith('.jsonl')
  for (const name of new Set([...Object.keys(sizes), ...readdirSync(directory).filter(isLines)])) {
    const path = join(directory, name)
    const size = sizes[name] ?? 0
    if (existsSync(path) && statSync(path).size > size) truncateSync(path, size)
  }
}
