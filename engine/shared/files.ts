// What Node's own calls wait for without end: a pipe without a writer, a device without an end, a folder below /proc.
import { mkdirSync, type Stats, statSync } from '../platform/files.ts'
import { dirname, resolve } from '../platform/paths.ts'
import { CodedError, codeOf, reasonOf } from './errors.ts'

/** What is at a path instead of a file that can be read to its end; undefined when it is one, a folder, or nothing. */
export function notAFile(path: string): string | undefined {
  try {
    const kind = kindOf(statSync(path))
    return kind && `${path}: must be a file, found ${kind}`
  } catch {
    return undefined // the reader says why
  }
}

/** Refuses a pipe, a socket and a device where a file must be read. */
export function refuseUnlessFile(path: string): void {
  const fault = notAFile(path)
  if (fault !== undefined) throw new CodedError('not-a-file', fault)
}

/** What is at a path instead of a folder that holds a file: for messages. */
export function inPlaceOf(folder: string, file: string): string {
  try {
    const stat = statSync(folder, { throwIfNoEntry: false })
    if (!stat) return 'nothing there'
    return stat.isDirectory() ? `no ${file} in it` : (kindOf(stat) ?? 'a file')
  } catch (error) {
    return reasonOf(error)
  }
}

/** Makes a folder and those above it, where they are missing. */
export function makeFolder(path: string): void {
  // not Node's `recursive`: it never returns where the system has a folder in which none can be made, and hides the reason
  const missing: string[] = []
  for (let folder = resolve(path); !isFolder(folder); folder = dirname(folder)) missing.unshift(folder)
  for (const folder of missing) {
    try {
      mkdirSync(folder)
    } catch (error) {
      const code = codeOf(error)
      // another process was faster
      if (code === 'EEXIST' && isFolder(folder)) continue
      const why =
        code === 'EEXIST'
          ? 'a link to nothing is in its place'
          : code === 'ENOENT'
            ? 'this file system lets no folder be made there'
            : reasonOf(error)
      throw new CodedError(code ?? 'no-folder', `${path}: must be a folder that can be made: ${why}`, {
        cause: error,
      })
    }
  }
}

function isFolder(path: string): boolean {
  let stat: Stats | undefined
  try {
    stat = statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw new CodedError(codeOf(error) ?? 'no-folder', `${path}: must be a folder: ${reasonOf(error)}`, {
      cause: error,
    })
  }
  if (stat && !stat.isDirectory())
    throw new CodedError('ENOTDIR', `${path}: must be a folder, found ${kindOf(stat) ?? 'a file'}`)
  return stat !== undefined
}

function kindOf(stat: Stats): string | undefined {
  if (stat.isFIFO()) return 'a pipe'
  if (stat.isSocket()) return 'a socket'
  return stat.isCharacterDevice() || stat.isBlockDevice() ? 'a device' : undefined
}
