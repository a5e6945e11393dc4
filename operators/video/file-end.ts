import { Buffer } from '../../engine/platform/files.ts'
import type { Span } from '../files/span.ts'

/** What a container says about its own end: `whole`, the fault in words, or undefined when it does not say. */
export type FileEnd = 'whole' | { fault: string } | undefined

/**
 * Compares the sizes and marks that a container states with where its file ends. ffmpeg reads a file that was cut
 * between two packets to its end without a word.
 */
export async function fileEnd(bytes: Span): Promise<FileEnd> {
  const { size } = bytes
  const head = await bytes.read(0, 65536)
  const reader = readers.find(({ starts }) => starts(head))
  return reader && (await reader.end({ bytes, size, head }))
}

interface Opened {
  bytes: Span
  size: number
  /** The first 64 KiB. */
  head: Buffer
}

interface Reader {
  starts: (head: Buffer) => boolean
  end: (opened: Opened) => FileEnd | Promise<FileEnd>
}

const text = (bytes: Buffer, from: number, to: number): string => bytes.toString('latin1', from, to)

const readers: readonly Reader[] = [
  { starts: head => boxes.has(text(head, 4, 8)), end: endOfBoxes },
  { starts: head => text(head, 0, 4) === 'RIFF', end: endOfRiff },
  { starts: head => text(head, 0, 4) === '\x1a\x45\xdf\xa3', end: endOfMatroska },
  { starts: head => text(head, 0, 4) === 'OggS', end: endOfOgg },
  { starts: head => text(head, 0, 4) === 'GIF8', end: endOfGif },
  { starts: head => text(head, 0, 3) === 'FLV', end: endOfFlv },
  { starts: head => text(head, 0, 16) === asfHeader, end: endOfAsf },
  { starts: head => text(head, 0, 14) === mxfPartition, end: endOfMxf },
  { starts: head => isTransportStream(head, 0, 188), end: ({ size }) => endOfTransportStream(size, 188) },
  { starts: head => isTransportStream(head, 4, 192), end: ({ size }) => endOfTransportStream(size, 192) },
]

const cutAt = (what: string, end: number, size: number): FileEnd => {
  return { fault: `${what} ends at byte ${end}, the file at byte ${size}` }
}

/** MP4, QuickTime, 3GP: boxes of 4 bytes of size (1: 8 more bytes; 0: to the end of the file) and a name. */
async function endOfBoxes({ bytes, size }: Opened): Promise<FileEnd> {
  for (let at = 0; at + 8 <= size; ) {
    const header = await bytes.read(at, 16)
    const name = text(header, 4, 8)
    const short = header.readUInt32BE(0)
    // what follows the last box that is known is not for us to judge
    if (!boxes.has(name) || short === 0) return 'whole'
    const length = short === 1 && header.length === 16 ? Number(header.readBigUInt64BE(8)) : short
    if (length < 8) return 'whole'
    if (at + length > size) return cutAt(`the part "${name}"`, at + length, size)
    at += length
  }
  return 'whole'
}

const boxes = new Set('ftyp moov mdat free skip wide pnot styp sidx moof mfra uuid udta meta'.split(' '))

/** AVI: chunks RIFF of a size; those after the first gigabyte are chunks of their own. */
async function endOfRiff({ bytes, size }: Opened): Promise<FileEnd> {
  for (let at = 0; at + 12 <= size; ) {
    const header = await bytes.read(at, 12)
    const length = header.readUInt32LE(4)
    // a writer that could not go back left the size open
    if (text(header, 0, 4) !== 'RIFF' || length === 0 || length === 0xffffffff) return undefined
    if (at + 8 + length > size) return cutAt('its RIFF chunk', at + 8 + length, size)
    at += 8 + length + (length % 2)
  }
  return 'whole'
}

/** Matroska and WebM: an EBML header, then one segment whose size is stated unless it was written live. */
function endOfMatroska({ head, size }: Opened): FileEnd {
  const header = elementSize(head, 4)
  if (!header) return undefined
  const at = 4 + header.length + header.value
  if (head.length < at + 12 || head.readUInt32BE(at) !== 0x18538067) return undefined
  const segment = elementSize(head, at + 4)
  if (!segment || segment.isOpen) return undefined
  const end = at + 4 + segment.length + segment.value
  return end > size ? cutAt('its segment', end, size) : 'whole'
}

/** A number whose leading zero bits say how many bytes it has; all ones: not stated. */
function elementSize(
  bytes: Buffer,
  at: number,
): { value: number; length: number; isOpen: boolean } | undefined {
  const first = bytes[at]
  if (!first || at + 8 > bytes.length) return undefined
  const length = Math.clz32(first) - 23
  let value = first & (0xff >> length)
  let isOpen = value === 0xff >> length
  for (const byte of bytes.subarray(at + 1, at + length)) {
    value = value * 256 + byte
    isOpen &&= byte === 0xff
  }
  return { value, length, isOpen }
}

/** Ogg: pages of at most 65,307 bytes; the last one of a stream is marked. */
async function endOfOgg({ bytes, size }: Opened): Promise<FileEnd> {
  const from = Math.max(0, size - 2 * 65536)
  const tail = await bytes.read(from, size - from)
  const at = tail.lastIndexOf('OggS')
  const segments = tail[at + 26]
  if (at < 0 || segments === undefined) return { fault: 'its last Ogg page is cut' }
  const body = tail.subarray(at + 27, at + 27 + segments).reduce((sum, length) => sum + length, 0)
  const end = from + at + 27 + segments + body
  if (end > size) return cutAt('its last Ogg page', end, size)
  const isLast = ((tail[at + 5] ?? 0) & 4) !== 0
  return isLast ? 'whole' : { fault: 'the page that ends an Ogg stream is missing' }
}

/** GIF: the last block ends with 0, then comes the trailer; some writers add zeros. */
async function endOfGif({ bytes, size }: Opened): Promise<FileEnd> {
  const tail = await bytes.read(Math.max(0, size - 4096), Math.min(size, 4096))
  const end = tail.findLastIndex(byte => byte !== 0)
  return tail[end] === 0x3b && tail[end - 1] === 0 ? 'whole' : { fault: 'the trailer of a GIF is missing' }
}

/** Flash video: each tag is followed by its size. */
async function endOfFlv({ bytes, size }: Opened): Promise<FileEnd> {
  if (size < 4) return { fault: 'its last FLV tag is cut' }
  const length = (await bytes.read(size - 4, 4)).readUInt32BE(0)
  const at = size - 4 - length
  const tag = at >= 9 ? await bytes.read(at, 4) : Buffer.alloc(4)
  // a whole file may still have been cut between two tags: its stated duration tells
  return length >= 11 && tag.readUIntBE(1, 3) === length - 11
    ? undefined
    : { fault: 'its last FLV tag is cut' }
}

/** ASF (WMV): the object with the file's properties states its size, unless it was broadcast. */
function endOfAsf({ head, size }: Opened): FileEnd {
  const at = head.indexOf(asfProperties, 0, 'latin1')
  if (at < 0 || at + 92 > head.length) return undefined
  const isBroadcast = (head.readUInt32LE(at + 88) & 1) !== 0
  const end = Number(head.readBigUInt64LE(at + 40))
  if (isBroadcast || end === 0) return undefined
  return end > size ? cutAt('the ASF file', end, size) : 'whole'
}

const asfHeader = '\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c'
const asfProperties = '\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65'

/** MXF: the first partition states where the last one, the footer, begins. */
function endOfMxf({ head, size }: Opened): FileEnd {
  const lengthBytes = (head[16] ?? 0) > 0x80 ? (head[16] ?? 0) - 0x80 : 0
  const at = 17 + lengthBytes + 24
  const footer = at + 8 <= head.length ? Number(head.readBigUInt64BE(at)) : 0
  return footer >= size ? cutAt('all before its footer', footer, size) : undefined
}

const mxfPartition = '\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02'

/** MPEG transport streams: packets of 188 bytes, of 192 on discs, each after a byte 0x47. */
const isTransportStream = (head: Buffer, first: number, length: number): boolean =>
  [0, 1, 2].every(i => head[first + i * length] === 0x47)

const endOfTransportStream = (size: number, length: number): FileEnd =>
  size % length === 0 ? undefined : { fault: `its last packet has ${size % length} of ${length} bytes` }
