import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { makeFolder } from '../engine/shared/files.ts'
import { replaceFile } from '../engine/shared/replace-file.ts'
import { cacheFolder } from './builtin.ts'
import { packedAt } from './files/packed-file.ts'
import { digestOf } from './question-digests.ts'

/** Files up to this size are always read whole. */
const smallBytes = 2 ** 20

/** One digest for the contents of files; their folder does not count. */
export async function contentDigest(folder: string, names: readonly string[]): Promise<string> {
  const contents: [string, string][] = []
  for (const name of [...names].sort()) contents.push([name, await digestOfFile(join(folder, name))])
  return digestOf(contents)
}

/** Of a large file it is kept in the cache, by path, size and times, so that a second run does not read the weights. */
async function digestOfFile(path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  const name = digestOf([resolve(path), ...[size, mtimeNs, ctimeNs].map(String)])
  const kept = join(cacheFolder(), 'digests', name)
  const isLarge = size > smallBytes
  const known = isLarge ? await readFile(kept, 'utf8').catch(() => '') : ''
  if (/^[0-9a-f]{64}$/.test(known)) return known
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  const digest = hash.digest('hex')
  // a file changed a moment ago may be changed once more without another time
  if (isLarge && Date.now() - Number(ctimeNs / 1_000_000n) > 2000) await keep(kept, digest)
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

const pieceBytes = 65_536
const pieces = 8

/**
 * A digest of a clip that is cheap for long clips: size, time of the last change, and pieces from beginning to end. Of a
 * folder of pictures: names, sizes and times. In an archive: what the archive says, and its size and time.
 */
export async function clipDigest(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  const packed = found ? undefined : await packedAt(path)
  if (packed) return digestOf(packed.state)
  if (!found) return 'absent'
  if (found.isDirectory()) {
    const names = (await readdir(path)).sort()
    const states = await Promise.all(names.map(name => stat(join(path, name), { bigint: true })))
    return digestOf(names.map((name, i) => [name, String(states[i]?.size), String(states[i]?.mtimeNs)]))
  }
  const size = Number(found.size)
  const hash = createHash('sha256').update(`${size} ${found.mtimeNs}`)
  const handle = await open(path)
  try {
    if (size <= smallBytes) hash.update(await handle.readFile())
    else
      for (let i = 0; i < pieces; i++) {
        const piece = Buffer.alloc(pieceBytes)
        const start = Math.floor((i * (size - pieceBytes)) / (pieces - 1))
        const { bytesRead } = await handle.read(piece, 0, pieceBytes, start)
        hash.update(piece.subarray(0, bytesRead))
      }
  } finally {
    await handle.close()
  }
  return hash.digest('hex').slice(0, 16)
}
