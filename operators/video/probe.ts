import { stat } from 'node:fs/promises'
import { averageRate } from './average-rate.ts'
import type { ClipFacts } from './clip-of.ts'
import { type FfmpegEnd, finishFfmpeg, runFfmpeg } from './ffmpeg.ts'
import { mediaInput } from './ffmpeg-input.ts'
import { damageIn, isAboutFile, isAboutMachine, whatFfmpegSaid, withoutPrefixes } from './ffmpeg-log.ts'
import { type FileEnd, fileEnd } from './file-end.ts'
import { passthrough } from './find-ffmpeg.ts'
import type { Media } from './media.ts'
import { listingOutput, PacketListing, type Packets } from './packet-listing.ts'
import { sampleTables } from './sample-tables.ts'
import { type SeekTable, seekTable } from './seek-table.ts'
import { VideoError } from './video-error.ts'

export interface ProbeOptions {
  /** An ffmpeg process is killed when it makes no progress for this long. */
  deadlineSeconds: number
  signal?: AbortSignal | undefined
}

export interface VideoFacts extends ClipFacts {
  /** Where to find frames without decoding all frames before them; absent for short clips and unusual ones. */
  seek?: SeekTable
}

// A clip of fewer pixels is decoded in a few seconds; nothing less finds all that is wrong inside of it.
const pixelsDecodedWhole = 2e9
const bytesDecodedWhole = 64e6

/**
 * Counts the frames of the first video stream of a file. Headers lie about their number: a short clip is decoded to its
 * end; of a long one the packets are counted, and its beginning and its end are decoded to see that each gives one
 * frame, else all of it. Cover pictures of audio files do not count as video. Errors name the file and say what ffmpeg
 * said.
 */
export async function probeVideo(media: Media, options: ProbeOptions): Promise<VideoFacts> {
  const { path, bytes } = media
  if (bytes.size === 0) throw new VideoError('not-a-video', `${path}: the file is empty`)
  const end = await fileEnd(bytes)
  const short =
    bytes.size <= bytesDecodedWhole ? await decodeWhole(media, options, pixelsDecodedWhole) : undefined
  const probed = short ?? (await probeLong(media, options, end)) ?? (await decodeWhole(media, options))
  if (!probed) throw new Error(`${path}: not decoded`)
  const { log, listing, ...facts } = probed
  const damage =
    (typeof end === 'object' ? end.fault : undefined) ??
    (listing.corrupt > 0 ? `${listing.corrupt} packets are cut or corrupt` : undefined) ??
    damageIn(log, path) ??
    facts.damage ??
    (end === undefined ? shortfall(log, listing, facts.seek !== undefined) : undefined)
  return { ...facts, ...(damage !== undefined && { damage }) }
}

interface Probed extends VideoFacts {
  /** What reading all packets told; tables of samples tell nothing of the kind. */
  listing: Pick<PacketListing, 'corrupt' | 'endSeconds'>
  log: string
}

/** Decodes a file without converting pixels; undefined when it has more than `mostPixels`. */
async function decodeWhole(
  media: Media,
  options: ProbeOptions,
  mostPixels = Number.POSITIVE_INFINITY,
): Promise<Probed | undefined> {
  const decode = ['-map', '0:V:0', ...(await passthrough()), '-f', 'null', '-']
  const { path } = media
  const args = [...mediaInput(media), ...decode, '-flush_packets', '1', ...listingOutput(true)]
  const listing = new PacketListing(path)
  const output = runFfmpeg(args, { subject: path, ...options })
  try {
    for (;;) {
      const step = await output.next()
      if (step.done) return await probedWhole(media, step.value, listing)
      listing.add(step.value)
      if (listing.count * listing.pixels > mostPixels) return undefined
    }
  } finally {
    await output.return({ exitCode: 0, log: '' })
  }
}

async function probedWhole(media: Media, end: FfmpegEnd, listing: PacketListing): Promise<Probed> {
  const { path } = media
  const { log } = end
  const [input, output = ''] = parts(log)
  const counts = [...output.matchAll(/frame=\s*(\d+)/g)]
  const frameCount = Number(counts.at(-1)?.[1] ?? 0)
  const { banner, container } = openedAs(path, end, input)
  const [, width, height] = /, (\d+)x(\d+)/.exec(videoLine(output) ?? '') ?? []
  if (frameCount === 0 || width === undefined)
    throw fault('no-frames', path, `no frame decodes (exit ${end.exitCode})`, end)
  await refuseMachineFault(media, end)
  const rate = rateOf(path, banner, container, listing, end)
  return { frameCount, rate, width: Number(width), height: Number(height), listing, log }
}

/**
 * Facts from the packets alone; undefined when a packet is not a frame. An MP4 file lists its packets; those of other files
 * are read, and where its container does not state its own end those of the sound too, which cost as much.
 */
export async function probeLong(
  media: Media,
  options: ProbeOptions,
  end: FileEnd = 'whole',
): Promise<Probed | undefined> {
  const tables = end === 'whole' ? await sampleTables(media.bytes) : undefined
  const listed = tables && (await probeSeeking(media, tables, options))
  if (listed) return { ...listed, listing: { corrupt: 0, endSeconds: Number.POSITIVE_INFINITY } }
  const listing = new PacketListing(media.path)
  const limits = { subject: media.path, ...options }
  const args = ['-copyts', ...mediaInput(media), ...listingOutput(end === undefined)]
  const ended = await finishFfmpeg(args, limits, chunk => listing.add(chunk))
  openedAs(media.path, ended, parts(ended.log)[0])
  await refuseMachineFault(media, ended)
  const probed = await probeSeeking(media, listing, options)
  return probed && { ...probed, listing, log: ended.log + probed.log }
}

/** Facts from packets whose first and last are decoded. */
async function probeSeeking(
  media: Media,
  packets: Packets,
  options: ProbeOptions,
): Promise<Omit<Probed, 'listing'> | undefined> {
  const { path } = media
  const found = await seekTable(media, packets, { subject: path, ...options })
  if (!found) return undefined
  const { table, end } = found
  const [input, output = ''] = parts(end.log)
  const [, width, height] = /, (\d+)x(\d+)/.exec(videoLine(output) ?? '') ?? []
  if (width === undefined) return undefined
  const { banner, container } = openedAs(path, end, input)
  const lost = packets.times.length - table.times.length
  return {
    frameCount: table.times.length,
    rate: rateOf(path, banner, container, packets, end),
    width: Number(width),
    height: Number(height),
    ...(lost > 0 && { damage: `its last ${lost} frames do not decode` }),
    seek: table,
    log: end.log,
  }
}

export async function expectFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    // any other error is the machine's: no permission, too many open files, …
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  })
  if (!found) throw new VideoError('no-file', `${path}: no such file`)
  if (!found.isFile()) throw new VideoError('no-file', `${path}: not a file`)
}

/** What a log says about the input, and what it says from the first output on. */
const parts = (log: string): [string, string | undefined] => {
  const [input = '', output] = withoutPrefixes(log).split(/^Output #0/m)
  return [input, output]
}

/** The line about the video and the name of the container. */
function openedAs(path: string, end: FfmpegEnd, input: string): { banner: string; container: string } {
  const container = /^Input #0, (.*), from/m.exec(input)?.[1]
  const banner = videoLine(input)
  if (container === undefined) {
    if (!isAboutFile(end.log)) throw failed(path, end)
    throw fault('not-a-video', path, 'not a video that ffmpeg can read', end)
  }
  if (banner === undefined || end.log.includes('matches no streams'))
    throw fault('no-video-stream', path, 'has no video stream', end)
  return { banner, container }
}

const videoLine = (text: string): string | undefined =>
  text.split('\n').find(line => /^\s*Stream #\d+.*: Video: /.test(line) && !line.includes('(attached pic)'))

function rateOf(
  path: string,
  banner: string,
  container: string,
  packets: Packets,
  end: FfmpegEnd,
): readonly [number, number] {
  const printed = Number(/ ([\d.]+) fps/.exec(banner)?.[1] ?? 0)
  const rate = averageRate(printed, packets, container)
  if (!rate) throw fault('no-frame-rate', path, 'the frame rate is unknown', end)
  return rate
}

/** Told when all streams end long before the duration that the container states. Times start at 0 or as in the file. */
function shortfall(log: string, listing: Probed['listing'], asInFile: boolean): string | undefined {
  if (/Estimating duration from bitrate/.test(log)) return undefined
  const clock = / Duration: (\d+):(\d+):([\d.]+), start: (-?[\d.]+)/.exec(log)
  if (!clock) return undefined
  const [, hours, minutes, seconds, start] = clock.map(Number)
  const stated = ((hours ?? 0) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)
  const lasts = listing.endSeconds - (asInFile ? (start ?? 0) : 0)
  const missing = stated - lasts
  return missing > 0.5 + stated / 50
    ? `it should last ${stated} s, and ends after ${lasts.toFixed(2)} s`
    : undefined
}

const fault = (code: string, path: string, what: string, { log }: FfmpegEnd): VideoError =>
  new VideoError(code, `${path}: ${what}; ffmpeg said: ${whatFfmpegSaid(log, path)}`)

/** Throws when what ffmpeg said does not come of the file: it ended early without a fault in the data, or a disk failed. */
async function refuseMachineFault({ path, bytes }: Media, end: FfmpegEnd): Promise<void> {
  if (end.exitCode !== 0 && (isAboutMachine(end.log) || !damageIn(end.log, path))) throw failed(path, end)
  // ffmpeg takes a read that fails for the end of the file; reading the file says which of them it was
  if (isAboutMachine(end.log)) for await (const _ of bytes.stream());
}

/** ffmpeg ended with an error that is not about the file. */
export const failed = (path: string, end: FfmpegEnd): VideoError =>
  fault('ffmpeg-failed', path, `ffmpeg ended early, with exit code ${end.exitCode}`, end)
