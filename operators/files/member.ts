import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createInflateRaw } from 'node:zlib'
import type { Span } from './span.ts'

/** A file in an archive. */
export interface Member {
  /** Its path in the archive. */
  name: string
  size: number
  /** Changes when the content does, as far as the archive tells. */
  state: string
  /** Digest of the content, where it is known without reading it once more. */
  sha256?: string
  /** The checksum of the content, where the archive states it. */
  crc32?: number
  /** Why it cannot be read here. */
  fault?: string
  /** Its bytes where they lie; undefined when they are compressed. */
  stored(): Promise<Span | undefined>
  /** Its content from beginning to end. */
  stream(): AsyncIterable<Buffer>
}

/** What a compressed stream holds; it may be left early. */
export async function* decompressed(bytes: AsyncIterable<Buffer>, form: 'gzip' | 'deflate') {
  const decoder = form === 'gzip' ? createGunzip() : createInflateRaw()
  const stop = new AbortController()
  const source = Readable.from(bytes)
  const done = pipeline(source, decoder, { signal: stop.signal })
  done.catch(() => undefined) // the reader below sees the same error
  try {
    for await (const chunk of decoder) yield chunk as Buffer // a decoder gives nothing else
    await done
  } finally {
    stop.abort()
    source.destroy()
  }
}

/** The bytes of a stream from one place on, so many of them. */
export async function* between(
  bytes: AsyncIterable<Buffer>,
  start: number,
  length: number,
): AsyncGenerator<Buffer> {
  let at = 0
  if (length === 0) return
  for await (const chunk of bytes) {
    const [from, to] = [Math.max(0, start - at), Math.min(chunk.length, start + length - at)]
    if (to > from) yield chunk.subarray(from, to)
    at += chunk.length
    if (at >= start + length) return
  }
}

/** A small archive may hold more zeros than a disk has room for. Clips and tables of questions are not packed so small. */
export const mostUnpacked = (packedSize: number): number => Math.max(20 * packedSize, 4 * 2 ** 30)

/** The bytes of a stream until they are more than so many: a reader sees that there are too many. */
export async function* notMuchOver(bytes: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer> {
  let read = 0
  for await (const chunk of bytes) {
    yield chunk
    read += chunk.length
    if (read > most) return
  }
}
