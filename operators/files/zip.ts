import { ArchiveError } from './archive-error.ts'
import { decompressed, type Member, mostUnpacked, notMuchOver } from './member.ts'
import type { Span } from './span.ts'

// Read here, and not by a library, because a file may lie in several parts or volumes, and ffmpeg reads what is stored
// from where it lies.

/** The list of a larger archive is not read. Ten thousand files need about 1 MB. */
const mostListBytes = 256 * 2 ** 20

/** The files of a zip archive, from the list at its end. */
export async function zipMembers(bytes: Span): Promise<Member[]> {
  const { start, length, volumes } = await listOf(bytes)
  if (length > mostListBytes)
    throw new ArchiveError('bad-archive', `its list of files takes ${length} bytes, at most ${mostListBytes}`)
  const list = await bytes.read(start, length)
  const members: Member[] = []
  for (let at = 0; at + 46 <= list.length && list.readUInt32LE(at) === 0x02014b50; ) {
    const [name, extra, comment] = [28, 30, 32].map(field => list.readUInt16LE(at + field)) as [
      number,
      number,
      number,
    ]
    const entry = entryAt(list.subarray(at, at + 46 + name + extra), name)
    if (!entry.name.endsWith('/')) members.push(memberOf(bytes, entry, volumes))
    at += 46 + name + extra + comment
  }
  return members
}

interface List {
  start: number
  length: number
  /** Where each volume begins; one for an archive of one file, or one that was cut into parts. */
  volumes: readonly number[]
}

async function listOf(bytes: Span): Promise<List> {
  const from = Math.max(0, bytes.size - 65_557 - 20)
  const tail = await bytes.read(from, bytes.size - from)
  const end = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  if (end < 0 || end + 22 > tail.length)
    throw new ArchiveError(
      'bad-archive',
      'it has no list of files at its end: a part is missing, or it is cut',
    )
  let [volume, length, start] = [
    tail.readUInt16LE(end + 6),
    tail.readUInt32LE(end + 12),
    tail.readUInt32LE(end + 16),
  ]
  const isSplit = tail.readUInt16LE(end + 4) > 0 && tail.readUInt16LE(end + 4) !== 0xffff
  const volumes = isSplit ? startsOf(bytes) : [0]
  const locator = end - 20
  if (locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50) {
    const place = (volumes[tail.readUInt32LE(locator + 4)] ?? 0) + Number(tail.readBigUInt64LE(locator + 8))
    const large = await bytes.read(place, 56)
    if (large.length < 56) throw new ArchiveError('bad-archive', 'the place of its list lies outside of it')
    volume = large.readUInt32LE(20)
    length = Number(large.readBigUInt64LE(40))
    start = Number(large.readBigUInt64LE(48))
  }
  return { start: (isSplit ? (volumes[volume] ?? Number.NaN) : 0) + start, length, volumes }
}

function startsOf({ pieces }: Span): number[] {
  let at = 0
  return pieces.map(({ length }) => {
    at += length
    return at - length
  })
}

interface Entry {
  name: string
  flags: number
  method: number
  crc32: number
  packedSize: number
  size: number
  volume: number
  header: number
}

/** Sizes and places that do not fit into 4 bytes stand in a field of their own, in this order. */
function entryAt(list: Buffer, nameLength: number): Entry {
  const entry: Entry = {
    name: list.toString('utf8', 46, 46 + nameLength),
    flags: list.readUInt16LE(8),
    method: list.readUInt16LE(10),
    crc32: list.readUInt32LE(16),
    packedSize: list.readUInt32LE(20),
    size: list.readUInt32LE(24),
    volume: list.readUInt16LE(34),
    header: list.readUInt32LE(42),
  }
  for (let at = 46 + nameLength; at + 4 <= list.length; at += 4 + list.readUInt16LE(at + 2)) {
    if (list.readUInt16LE(at) !== 1) continue
    let next = at + 4
    for (const field of ['size', 'packedSize', 'header'] as const)
      if (entry[field] === 0xffffffff && next + 8 <= list.length) {
        entry[field] = Number(list.readBigUInt64LE(next))
        next += 8
      }
    if (entry.volume === 0xffff && next + 4 <= list.length) entry.volume = list.readUInt32LE(next)
  }
  return entry
}

function memberOf(bytes: Span, entry: Entry, volumes: readonly number[]): Member {
  const { name, size, crc32, packedSize, method } = entry
  const packed = async () => {
    const place = (volumes[volumes.length > 1 ? entry.volume : 0] ?? 0) + entry.header
    const header = await bytes.read(place, 30)
    if (header.length < 30 || header.readUInt32LE(0) !== 0x04034b50)
      throw new ArchiveError('bad-archive', `${name}: no file begins where the list of the archive says`)
    const start = place + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
    return bytes.slice(start, packedSize)
  }
  const fault = faultOf(entry)
  return {
    name,
    size,
    crc32,
    state: `${size} ${crc32}`,
    ...(fault !== undefined && { fault }),
    stored: async () => (method === 0 ? packed() : undefined),
    async *stream() {
      const span = await packed()
      yield* method === 0 ? span.stream() : notMuchOver(decompressed(span.stream(), 'deflate'), size)
    },
  }
}

function faultOf({ flags, method, size, packedSize }: Entry): string | undefined {
  if ((flags & 1) !== 0) return 'encrypted'
  if (size > mostUnpacked(packedSize)) return `${packedSize} bytes of it would unpack to ${size}`
  return method === 0 || method === 8 ? undefined : `compressed by method ${method}`
}
