import type { Span } from '../files/span.ts'
import { Numbers, type Packets } from './packet-listing.ts'

/**
 * The packets of an MP4 or QuickTime file as its tables list them, without reading the packets: the times are those that
 * ffmpeg gives them. Undefined where the tables do not decide that alone: several video tracks, fragments, edits that
 * hide frames, key frames listed elsewhere.
 */
export async function sampleTables(bytes: Span): Promise<Packets | undefined> {
  const top = await boxesIn(bytes, 0, bytes.size)
  const movie = top.find(({ name }) => name === 'moov')
  if (!movie || top.some(({ name }) => name === 'moof')) return undefined
  const parts = await boxesIn(bytes, movie.start, movie.end)
  if (parts.some(({ name }) => name === 'mvex' || name === 'cmov')) return undefined
  const tracks: Track[] = []
  for (const { name, start, end } of parts) {
    const track = name === 'trak' ? await videoTrack(bytes, start, end) : undefined
    if (track) tracks.push(track)
  }
  const header = parts.find(({ name }) => name === 'mvhd')
  const [track] = tracks
  if (tracks.length !== 1 || !track || !header) return undefined
  return packetsOf(bytes, track, clockOf(await contentOf(bytes, header)))
}

interface Box {
  name: string
  /** Where its content begins, and where it ends. */
  start: number
  end: number
}

async function boxesIn(bytes: Span, from: number, to: number): Promise<Box[]> {
  const boxes: Box[] = []
  for (let at = from; at + 8 <= to; ) {
    const header = await bytes.read(at, 16)
    if (header.length < 8) break
    const short = header.readUInt32BE(0)
    const isLong = short === 1 && header.length === 16
    const length = isLong ? Number(header.readBigUInt64BE(8)) : short === 0 ? to - at : short
    if (length < (isLong ? 16 : 8)) break
    const name = header.toString('latin1', 4, 8)
    boxes.push({ name, start: at + (isLong ? 16 : 8), end: Math.min(to, at + length) })
    at += length
  }
  return boxes
}

const contentOf = (bytes: Span, { start, end }: Box): Promise<Buffer> => bytes.read(start, end - start)

interface Track {
  edits: Box | undefined
  clock: Box
  tables: ReadonlyMap<string, Box>
}

async function videoTrack(bytes: Span, from: number, to: number): Promise<Track | undefined> {
  const boxes = await boxesIn(bytes, from, to)
  const media = await inner(bytes, boxes, 'mdia')
  const handler = media.find(({ name }) => name === 'hdlr')
  const clock = media.find(({ name }) => name === 'mdhd')
  if (!handler || !clock) return undefined
  if ((await contentOf(bytes, handler)).toString('latin1', 8, 12) !== 'vide') return undefined
  const samples = await inner(bytes, await inner(bytes, media, 'minf'), 'stbl')
  const edits = (await inner(bytes, boxes, 'edts')).find(({ name }) => name === 'elst')
  return { edits, clock, tables: new Map(samples.map(box => [box.name, box])) }
}

async function inner(bytes: Span, boxes: readonly Box[], name: string): Promise<Box[]> {
  const box = boxes.find(one => one.name === name)
  return box ? boxesIn(bytes, box.start, box.end) : []
}

/** Ticks in a second, of a header of the movie or of a track: version 1 has times of 8 bytes before it. */
const clockOf = (header: Buffer): number => header.readUInt32BE(header[0] === 1 ? 20 : 12)

/** Tables that name key frames in other ways. */
const otherKeys = ['stps', 'sbgp', 'stz2']

async function packetsOf(bytes: Span, track: Track, movieClock: number): Promise<Packets | undefined> {
  const { tables } = track
  if (otherKeys.some(name => tables.has(name))) return undefined
  const table = async (name: string) => {
    const box = tables.get(name)
    return box && contentOf(bytes, box)
  }
  const [kinds, sizes, deltas, shifts, keys] = [
    await table('stsd'),
    await table('stsz'),
    await table('stts'),
    await table('ctts'),
    await table('stss'),
  ]
  const offsets = (await table('co64')) ?? (await table('stco'))
  if (!kinds || !sizes || !deltas || !offsets || kinds.readUInt32BE(4) !== 1) return undefined
  const count = sizes.readUInt32BE(8)
  const clock = clockOf(await contentOf(bytes, track.clock))
  const edit = track.edits ? editOf(await contentOf(bytes, track.edits), clock / movieClock) : wholeMedia
  if (!edit || count === 0 || !areThere(bytes, sizes, count, offsets, tables.has('co64'))) return undefined
  const isKey = keysOf(keys, count)
  const times = timesOf(deltas, shifts, count)
  return isKey && times && listed(times, isKey, edit, clock)
}

interface Edit {
  start: number
  end: number
}

const wholeMedia: Edit = { start: 0, end: Number.POSITIVE_INFINITY }

/** The one edit at normal speed that a list holds, in ticks of the track, of which a tick of the movie has so many. */
function editOf(list: Buffer, ticks: number): Edit | undefined {
  if (list.readUInt32BE(4) !== 1) return undefined
  const isLong = list[0] === 1
  const duration = isLong ? Number(list.readBigUInt64BE(8)) : list.readUInt32BE(8)
  const start = isLong ? Number(list.readBigInt64BE(16)) : list.readInt32BE(12)
  const speed = list.readUInt32BE(isLong ? 24 : 16)
  if (start < 0 || speed !== 65536) return undefined
  return { start, end: duration === 0 ? Number.POSITIVE_INFINITY : start + Math.ceil(duration * ticks) }
}

/** Whether every sample has bytes, and the last chunk begins inside the file. */
function areThere(bytes: Span, sizes: Buffer, count: number, offsets: Buffer, areLong: boolean): boolean {
  if (sizes.readUInt32BE(4) === 0) {
    if (sizes.length < 12 + 4 * count) return false
    for (let i = 0; i < count; i++) if (sizes.readUInt32BE(12 + 4 * i) === 0) return false
  }
  const chunks = offsets.readUInt32BE(4)
  if (chunks === 0 || offsets.length < 8 + chunks * (areLong ? 8 : 4)) return false
  const at = 8 + (chunks - 1) * (areLong ? 8 : 4)
  return (areLong ? Number(offsets.readBigUInt64BE(at)) : offsets.readUInt32BE(at)) < bytes.size
}

/** Without a table of key frames every frame is one. */
function keysOf(keys: Buffer | undefined, count: number): Uint8Array | undefined {
  const isKey = new Uint8Array(count)
  if (!keys) return isKey.fill(1)
  const listed = keys.readUInt32BE(4)
  if (listed === 0 || keys.length < 8 + 4 * listed) return undefined
  for (let i = 0; i < listed; i++) isKey[keys.readUInt32BE(8 + 4 * i) - 1] = 1
  return isKey
}

interface Times {
  lastDuration: number
  decode: Float64Array
  display: Float64Array
}

function timesOf(deltas: Buffer, shifts: Buffer | undefined, count: number): Times | undefined {
  const decode = new Float64Array(count)
  const display = new Float64Array(count)
  let [sample, time, lastDuration] = [0, 0, 0]
  for (let i = 8; i + 8 <= deltas.length; i += 8)
    for (let left = deltas.readUInt32BE(i); left > 0 && sample < count; left--) {
      lastDuration = deltas.readUInt32BE(i + 4)
      decode[sample++] = time
      time += lastDuration
    }
  if (sample < count || lastDuration === 0) return undefined
  display.set(decode)
  if (!shifts) return { lastDuration, decode, display }
  let [shifted, least] = [0, 0]
  for (let i = 8; i + 8 <= shifts.length; i += 8) {
    const shift = shifts.readInt32BE(i + 4)
    least = Math.min(least, shift)
    for (let left = shifts.readUInt32BE(i); left > 0 && shifted < count; left--, shifted++)
      display[shifted] = (decode[shifted] ?? 0) + shift
  }
  // decoding begins earlier where a frame would be shown before it is decoded
  if (least < 0) for (let i = 0; i < count; i++) decode[i] = (decode[i] ?? 0) + least
  return shifted === count ? { lastDuration, decode, display } : undefined
}

function listed(
  { lastDuration, decode, display }: Times,
  isKey: Uint8Array,
  { start, end }: Edit,
  ticksPerSecond: number,
): Packets | undefined {
  const times = new Numbers()
  const keyTimes = new Numbers()
  const keyDecodeTimes = new Numbers()
  for (const [i, time] of display.entries()) {
    if (time < start || time >= end) return undefined
    times.push(time - start)
    if (!isKey[i]) continue
    keyTimes.push(time - start)
    keyDecodeTimes.push((decode[i] ?? 0) - start)
  }
  const [first, last] = [(decode[0] ?? 0) - start, (decode.at(-1) ?? 0) - start]
  const timeBase = [1, ticksPerSecond] as const
  return { count: display.length, timeBase, first, last, lastDuration, times, keyTimes, keyDecodeTimes }
}
