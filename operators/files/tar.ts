import { createHash } from 'node:crypto'
import { ArchiveError } from './archive-error.ts'
import { between, decompressed, type Member, mostUnpacked } from './member.ts'
import type { Span } from './span.ts'

/** A larger compressed archive is not read: to reach one file of it, all before it is decompressed. */
const mostCompressedBytes = 4 * 2 ** 30

/** A longer header of names is not read: it is held in memory as a whole. */
const mostHeaderBytes = 2 ** 20

/** The files of a tar archive, from the header before each. */
export async function tarMembers(bytes: Span): Promise<Member[]> {
  const members: Member[] = []
  let at = 0
  const reader: Reader = {
    read: async length => {
      const read = await bytes.read(at, length)
      at += read.length
      return read
    },
    async pass(length) {
      at += length
      return undefined
    },
  }
  for await (const { name, size, start, state } of filesOf(reader)) {
    if (start + size > bytes.size) throw cut(name)
    const span = bytes.slice(start, size)
    members.push({ name, size, state, stored: async () => span, stream: () => span.stream() })
  }
  return members
}

/** The files of a tar archive that is compressed as a whole. */
export async function tarGzMembers(bytes: Span): Promise<Member[]> {
  if (bytes.size > mostCompressedBytes)
    throw new ArchiveError(
      'bad-archive',
      `it is compressed as a whole and larger than ${mostCompressedBytes} bytes`,
    )
  const content = () => atMost(decompressed(bytes.stream(), 'gzip'), mostUnpacked(bytes.size))
  const members: Member[] = []
  const listed = content()
  try {
    for await (const { name, size, start, state, sha256 } of filesOf(streamReader(listed)))
      members.push({
        name,
        size,
        state,
        ...(sha256 !== undefined && { sha256 }),
        stored: async () => undefined,
        stream: () => between(content(), start, size),
      })
  } finally {
    await listed.return(undefined)
  }
  return members
}

/** A small archive may hold more zeros than a disk: they are not read. */
async function* atMost(bytes: AsyncGenerator<Buffer>, most: number): AsyncGenerator<Buffer> {
  let read = 0
  for await (const chunk of bytes) {
    read += chunk.length
    if (read > most) throw new ArchiveError('bad-archive', `it unpacks to more than ${most} bytes`)
    yield chunk
  }
}

/** Takes bytes in order. */
interface Reader {
  read(length: number): Promise<Buffer>
  /** Passes over bytes; where they are read anyway, it returns the digest of the first `content` of them. */
  pass(length: number, content: number): Promise<string | undefined>
}

function streamReader(bytes: AsyncGenerator<Buffer>): Reader {
  let rest: Buffer = Buffer.alloc(0)
  const next = async (): Promise<boolean> => {
    const step = await bytes.next()
    if (!step.done) rest = step.value
    return !step.done
  }
  return {
    async read(length) {
      const parts: Buffer[] = []
      for (let left = length; left > 0; ) {
        if (rest.length === 0 && !(await next())) break
        const part = rest.subarray(0, left)
        rest = rest.subarray(part.length)
        parts.push(part)
        left -= part.length
      }
      return Buffer.concat(parts)
    },
    async pass(length, content) {
      const hash = createHash('sha256')
      for (let left = length; left > 0; ) {
        if (rest.length === 0 && !(await next())) throw cut('the last file')
        const passed = Math.min(left, rest.length)
        hash.update(rest.subarray(0, Math.max(0, Math.min(passed, content - (length - left)))))
        rest = rest.subarray(passed)
        left -= passed
      }
      return hash.digest('hex')
    },
  }
}

interface Place {
  name: string
  size: number
  start: number
  /** Size and time of the last change. */
  state: string
  sha256: string | undefined
}

/** Long names and sizes come as files of their own before the one that they belong to. */
async function* filesOf(reader: Reader): AsyncGenerator<Place> {
  let at = 0
  let long: { path?: string; size?: number } = {}
  for (;;) {
    const header = await reader.read(512)
    at += header.length
    if (header.length < 512 || header.every(byte => byte === 0)) {
      if (at === header.length) throw new ArchiveError('bad-archive', 'it holds no file')
      return
    }
    if (!hasChecksum(header))
      throw new ArchiveError('bad-archive', `no file of a tar archive begins at byte ${at - 512}`)
    const type = header.toString('latin1', 156, 157)
    const stated = numberAt(header, 124, 12)
    const size = 'xgLK'.includes(type) ? stated : (long.size ?? stated)
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ArchiveError('bad-archive', `the size of the file at byte ${at - 512} is ${size}`)
    const padded = Math.ceil(size / 512) * 512
    if ('xgLK'.includes(type)) {
      if (size > mostHeaderBytes)
        throw new ArchiveError('bad-archive', `the header at byte ${at - 512} has ${size} bytes`)
      const content = (await reader.read(padded)).subarray(0, size)
      if (type === 'L') long.path = textOf(content)
      if (type === 'x') long = { ...long, ...extended(content) }
    } else {
      const name = long.path ?? nameOf(header)
      const sha256 = await reader.pass(padded, size)
      const state = `${size} ${numberAt(header, 136, 12)}`
      if (isFile(type)) yield { name, size, start: at, state, sha256 }
      long = {}
    }
    at += padded
  }
}

const isFile = (type: string): boolean => ['0', '\0', '7'].includes(type)

/** The sum of the header's bytes, with spaces in the place of the sum. */
function hasChecksum(header: Buffer): boolean {
  let sum = 8 * 32
  for (const [i, byte] of header.entries()) if (i < 148 || i >= 156) sum += byte
  return sum === numberAt(header, 148, 8)
}

/** In octal digits; large numbers in binary, marked by the first bit. */
function numberAt(header: Buffer, from: number, length: number): number {
  if (((header[from] ?? 0) & 0x80) !== 0) return Number(header.readBigUInt64BE(from + length - 8))
  return Number.parseInt(textOf(header.subarray(from, from + length)).trim() || '0', 8)
}

function nameOf(header: Buffer): string {
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isUstar ? textOf(header.subarray(345, 500)) : ''
  const name = textOf(header.subarray(0, 100))
  return prefix === '' ? name : `${prefix}/${name}`
}

/** Lines `LENGTH KEY=VALUE`. */
function extended(content: Buffer): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {}
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(' ', at)
    const length = Number(content.toString('latin1', at, space))
    if (space < 0 || !(length > 0)) break
    const [key, ...value] = content.toString('utf8', space + 1, at + length - 1).split('=')
    if (key === 'path') found.path = value.join('=')
    if (key === 'size') found.size = Number(value.join('='))
    at += length
  }
  return found
}

const textOf = (bytes: Buffer): string => bytes.toString('utf8').replace(/\0.*$/s, '')

const cut = (name: string): ArchiveError =>
  new ArchiveError(
    'bad-archive',
    `${name} ends beyond the end of the archive: a part is missing, or it is cut`,
  )
