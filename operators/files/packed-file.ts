import { readFile, stat } from 'node:fs/promises'
import { dirname, relative, sep } from 'node:path'
import { messageOf } from '../../engine/shared/errors.ts'
import { ArchiveError } from './archive-error.ts'
import { archiveAt } from './archives.ts'
import { crc32 } from './crc32.ts'
import type { FileState } from './file-state.ts'
import type { Member } from './member.ts'
import { openArchive } from './open-archive.ts'

/** What a path that leads into an archive names: a file in it, or the files of a folder in it by their names. */
export type Packed = ({ member: Member } | { folder: ReadonlyMap<string, Member> }) & {
  /** Of the archive. */
  state: FileState
}

/**
 * What lies in an archive at a path that goes through it as through a folder: `star.zip/star/a.mp4`, or through the first
 * of its parts. Undefined when the path leads into no archive, or to nothing in it.
 */
export async function packedAt(path: string): Promise<Packed | undefined> {
  const file = await fileAbove(path)
  const archive = file === undefined ? undefined : await archiveAt(file)
  if (file === undefined || !archive) return undefined
  const opened = await openArchive(archive)
  if ('fault' in opened) throw new ArchiveError('bad-archive', `${file}: ${opened.fault}`)
  const name = relative(file, path).split(sep).join('/')
  const member = opened.members.get(name)
  const { state } = opened
  if (member) return { member, state }
  const inFolder = (other: string) => other.startsWith(`${name}/`) && !other.includes('/', name.length + 1)
  const below = [...opened.members].filter(([other]) => inFolder(other))
  const folder = new Map(below.map(([other, one]) => [other.slice(name.length + 1), one]))
  return folder.size > 0 ? { folder, state } : undefined
}

/** The file that stands in the place of a folder of a path. */
async function fileAbove(path: string): Promise<string | undefined> {
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) {
    const found = await stat(at).catch(() => undefined)
    if (found) return found.isFile() ? at : undefined
  }
  return undefined
}

/** A larger file is not read as a whole. */
const mostInMemory = 2 ** 30

/** The content of a file, which may lie in an archive; it is checked by the archive's size and checksum. */
export async function readWhole(path: string): Promise<Buffer> {
  const packed = await packedAt(path)
  if (!packed || !('member' in packed)) return readFile(path)
  const { member } = packed
  const fault = member.fault ?? (member.size > mostInMemory ? `it has ${member.size} bytes` : undefined)
  if (fault !== undefined)
    throw new ArchiveError('bad-archive', `${path}: cannot be read from its archive: ${fault}`)
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of member.stream()) {
      chunks.push(chunk)
      size += chunk.length
    }
  } catch (error) {
    throw new ArchiveError('damaged', `${path}: damaged: ${messageOf(error)}`, { cause: error })
  }
  const bytes = Buffer.concat(chunks)
  if (size !== member.size || (member.crc32 !== undefined && crc32(bytes) !== member.crc32))
    throw new ArchiveError('damaged', `${path}: damaged: its content is not what the archive says that it is`)
  return bytes
}
