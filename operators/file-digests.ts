import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOfContent } from '../engine/shared/digest-of-content.ts'
import { makeFolder } from '../engine/shared/files.ts'
import { replaceFile } from '../engine/shared/replace-file.ts'
import { cacheFolder } from './builtin.ts'
import { ArchiveError } from './files/archive-error.ts'
import { type FileState, isSettled, stateOf } from './files/file-state.ts'
import type { Member } from './files/member.ts'
import { packedAt } from './files/packed-file.ts'
import { isNumberedPicture } from './files/video-extensions.ts'
import { digestOf } from './question-digests.ts'

/** Files up to this size are always read whole. */
const smallBytes = 2 ** 20

/** One digest for the contents of files; their folder does not count. */
export async function contentDigest(folder: string, names: readonly string[]): Promise<string> {
  const contents: [string, string][] = []
  for (const name of [...names].sort()) contents.push([name, await digestOfFile(join(folder, name))])
  return digestOf(contents)
}

/**
 * A digest of the content of a clip or of its subtitles, wherever it lies: in a file, in a folder of pictures or in an
 * archive. Of pictures their names count too. `absent` where there is nothing. Reads the whole content, of large files
 * only if they are new or have changed.
 */
export async function digestAt(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile()) return digestOfFile(path)
  if (found?.isDirectory())
    return digestOfPictures(await readdir(path), name => digestOfFile(join(path, name)))
  if (found) return 'no file'
  const packed = await packedAt(path)
  if (!packed) return 'absent'
  const { state } = packed
  if ('member' in packed) return digestOfMember(packed.member, state)
  const { folder } = packed
  return digestOfPictures([...folder.keys()], async name => {
    const member = folder.get(name)
    return member ? digestOfMember(member, state) : 'absent'
  })
}

async function digestOfPictures(
  names: readonly string[],
  digest: (name: string) => Promise<string>,
): Promise<string> {
  const contents: [string, string][] = []
  for (const name of names.filter(isNumberedPicture).sort()) contents.push([name, await digest(name)])
  return digestOf(contents)
}

const digestOfFile = async (path: string): Promise<string> =>
  keptDigest((await stat(path)).size, await stateOf([path]), '', () => createReadStream(path))

/** What cannot be unpacked is damaged; the clip is then opened, which tells how. */
async function digestOfMember(member: Member, state: FileState): Promise<string> {
  if (member.sha256 !== undefined) return member.sha256
  try {
    return await keptDigest(member.size, state, member.name, () => member.stream())
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (error instanceof ArchiveError || code.startsWith('Z_')) return 'damaged'
    throw error
  }
}

/** Of large contents it is kept in the cache, by the state of their file, so that a second run does not read them. */
async function keptDigest(
  size: number,
  state: FileState,
  name: string,
  content: () => AsyncIterable<Buffer>,
): Promise<string> {
  const { text } = state
  const kept = join(cacheFolder(), 'digests', digestOf([text, name]))
  const isLarge = size > smallBytes
  const known = isLarge ? await readFile(kept, 'utf8').catch(() => '') : ''
  if (/^[0-9a-f]{64}$/.test(known)) return known
  const digest = await digestOfContent(content())
  if (isLarge && isSettled(state)) await keep(kept, digest)
  return digest
}

async function keep(path: string, digest: string): Promise<void> {
  try {
    makeFolder(join(cacheFolder(), 'digests'))
    replaceFile(path, digest, { durable: false })
  } catch {
    // a cache that cannot be written only makes the next run slower
  }
}
