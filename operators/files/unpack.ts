import { createHash } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { makeFolder } from '../../engine/shared/files.ts'
import { cacheFolder } from '../builtin.ts'
import { ArchiveError } from './archive-error.ts'
import { crc32 } from './crc32.ts'
import type { Member } from './member.ts'

/** A file of an archive on disk, until it is removed. */
export interface Unpacked {
  path: string
  remove(): void
}

let count = 0

/** Unpacks one file of an archive for a while; `path` is what errors are about. */
export async function unpack(member: Member, path: string): Promise<Unpacked> {
  if (member.fault !== undefined)
    throw new ArchiveError('bad-archive', `${path}: cannot be read from its archive: ${member.fault}`)
  const folder = join(cacheFolder(), 'unpacked')
  makeFolder(folder)
  if (count === 0) removeLeftOvers(folder)
  const own = join(folder, `${ownMark}${process.pid}-${count++}`)
  const remove = () => rmSync(own, { force: true })
  const file = await open(own, 'w')
  try {
    let [size, sum] = [0, 0]
    for await (const chunk of member.stream()) {
      await file.write(chunk)
      size += chunk.length
      sum = crc32(chunk, sum)
    }
    const isWhole = size === member.size && (member.crc32 === undefined || sum === member.crc32)
    if (!isWhole)
      throw new ArchiveError(
        'damaged',
        `${path}: damaged: its content is not what the archive says that it is`,
      )
  } catch (error) {
    await file.close()
    remove()
    throw isBadData(error)
      ? new ArchiveError('damaged', `${path}: damaged: its compressed data is corrupt`)
      : error
  }
  await file.close()
  return { path: own, remove }
}

const isBadData = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')

/** Names of this machine's files: what a process elsewhere left, only a process there can judge. */
const ownMark = `${createHash('sha256').update(hostname()).digest('hex').slice(0, 12)}-`

/** Files of processes of this machine that were killed. */
function removeLeftOvers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = name.startsWith(ownMark) ? Number(name.slice(ownMark.length).split('-')[0]) : Number.NaN
    if (pid > 0 && pid !== process.pid && !isAlive(pid)) rmSync(join(folder, name), { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
