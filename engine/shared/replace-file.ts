// A file that another process or a later run relies on is written under a temporary name in the same folder, forced to
// the disk, and renamed: a reader sees the old content or the new, never a part, whatever stops the writer.
import { randomUUID } from '../platform/digests.ts'
import {
  closeSync,
  fsyncSync,
  linkSync,
  open,
  openSync,
  rename,
  renameSync,
  rm,
  rmSync,
  writeFileSync,
} from '../platform/files.ts'
import { basename, dirname, join } from '../platform/paths.ts'
import { CodedError, codeOf } from './errors.ts'

const partialPrefix = '.part-'

/** Whether a file name is that of a file still being written, or left by a process that was killed while it wrote. */
export const isPartial = (name: string): boolean => basename(name).startsWith(partialPrefix)

/** A temporary name in the same folder, with the same extension; unique, since two processes may write one file. */
const partialOf = (path: string): string =>
  join(dirname(path), `${partialPrefix}${randomUUID()}-${basename(path)}`)

/** Replaces a file, or makes it. With `durable: false` a crash of the machine may lose the new content. */
export function replaceFile(path: string, content: string | Uint8Array, { durable = true } = {}): void {
  const partial = partialOf(path)
  try {
    writeFileSync(partial, content, { flush: durable })
    renameSync(partial, path)
  } catch (error) {
    rmSync(partial, { force: true })
    if (codeOf(error) !== 'EISDIR') throw error
    throw new CodedError('EISDIR', `${path}: must be a file, found a folder`, { cause: error })
  }
  if (durable) syncFolder(dirname(path))
}

/** Makes a file, whole and durable; false when there is one: of many processes that call this, one makes it. */
export function createFile(path: string, content: string): boolean {
  const partial = partialOf(path)
  try {
    writeFileSync(partial, content, { flush: true })
    linkSync(partial, path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    rmSync(partial, { force: true })
  }
  syncFolder(dirname(path))
  return true
}

/** Replaces a file with what `write` puts at the temporary path that it is given. */
export async function replaceFileBy(path: string, write: (partial: string) => Promise<void>): Promise<void> {
  const partial = partialOf(path)
  try {
    await write(partial)
    await sync(partial)
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/** Forces a file to the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Forces the names in a folder to the disk, where the file system can do that. */
export function syncFolder(folder: string): void {
  let handle: number | undefined
  try {
    handle = openSync(folder, 'r')
    fsyncSync(handle)
  } catch (error) {
    // Windows cannot open folders, and some network file systems cannot sync them
    if (!['EINVAL', 'EISDIR', 'EPERM', 'EACCES', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}
