import { type FfmpegEnd, type FfmpegOptions, finishFfmpeg } from './ffmpeg.ts'
import { mediaInput } from './ffmpeg-input.ts'
import { passthrough } from './find-ffmpeg.ts'
import type { Media } from './media.ts'
import { PacketListing, type Packets } from './packet-listing.ts'

/** Where the frames of a clip are, in ticks of its own clock. */
export interface SeekTable {
  /** A tick in seconds, as a fraction. */
  timeBase: readonly [number, number]
  /** Display time of each frame, increasing. */
  times: Float64Array
  /** Display times of the frames that can be decoded without others, increasing, and when each is decoded. */
  keyTimes: Float64Array
  keyDecodeTimes: Float64Array
}

/** Frames at the beginning that are compared with the packets. */
const framesChecked = 100

/**
 * A table made of the packets of a clip, if each gives one frame, shown at the packet's time: its first frames and those
 * from its last key frame on are decoded to see that. Frames at the end that do not decode are left out.
 */
export async function seekTable(
  media: Media,
  packets: Packets,
  options: FfmpegOptions,
): Promise<{ table: SeekTable; end: FfmpegEnd } | undefined> {
  const times = packets.times.values().toSorted()
  const keyTimes = packets.keyTimes.values()
  const keyDecodeTimes = packets.keyDecodeTimes.values()
  const table: SeekTable = { timeBase: packets.timeBase, times, keyTimes, keyDecodeTimes }
  if (keyTimes.length < 2 || ![times, keyTimes, keyDecodeTimes].every(isIncreasing)) return undefined
  const [first, last] = await bothOf(
    decodedTimes(media, [], ['-frames:v', String(framesChecked)], options),
    decodedTimes(media, seekTo(table, keyTimes.length - 1), [], options),
  )
  if (!first.times.every((time, i) => time === times[i])) return undefined
  const start = times.indexOf(last.times[0] ?? Number.NaN)
  const isRow = start >= 0 && last.times.every((time, i) => time === times[start + i])
  if (!isRow || first.times.length < Math.min(framesChecked, times.length)) return undefined
  return { table: { ...table, times: times.subarray(0, start + last.times.length) }, end: first.end }
}

/** The results of both; when one fails, the other has ended before the error is thrown. */
async function bothOf<T>(one: Promise<T>, other: Promise<T>): Promise<[T, T]> {
  await Promise.allSettled([one, other])
  return Promise.all([one, other])
}

/** False for a list with a time that is not stated, or with one twice. */
const isIncreasing = (times: Float64Array): boolean =>
  times.every((time, i) => i === 0 || time > (times[i - 1] ?? Number.NaN)) && !Number.isNaN(times[0])

/** Display times of the frames that decode, in the order in which they come. */
async function decodedTimes(
  media: Media,
  seek: readonly string[],
  limit: readonly string[],
  options: FfmpegOptions,
): Promise<{ times: Float64Array; end: FfmpegEnd }> {
  const listing = new PacketListing(media.path)
  const frames = ['-map', '0:V:0', ...(await passthrough()), '-c:v', 'wrapped_avframe']
  const output = ['-enc_time_base', '-1', '-flush_packets', '1', '-f', 'framecrc', 'pipe:1']
  const args = ['-copyts', ...mediaInput(media, seek), ...frames, ...limit, ...output]
  const end = await finishFfmpeg(args, options, chunk => listing.add(chunk))
  return { times: listing.times.values(), end }
}

/** The number of the last key frame that is shown no later than a frame. */
export function keyBefore({ keyTimes, times }: SeekTable, frame: number): number {
  const time = times[frame] ?? Number.NEGATIVE_INFINITY
  let [low, high] = [0, keyTimes.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((keyTimes[middle] ?? 0) <= time) low = middle
    else high = middle - 1
  }
  return low
}

/** ffmpeg moves this much ahead of the time that is asked for where frames are decoded in another order than shown. */
const leadSeconds = 3 / 23 + 0.01

/** Input arguments that start at a key frame, or before it, and keep the clip's own clock. */
export function seekTo({ keyTimes, keyDecodeTimes, timeBase }: SeekTable, key: number): string[] {
  if (key <= 0) return []
  const tick = timeBase[0] / timeBase[1]
  const time = keyTimes[key] ?? 0
  const nextTime = (keyDecodeTimes[key + 1] ?? Number.POSITIVE_INFINITY) - 1
  const seconds = Math.max(time * tick, Math.min(time * tick + leadSeconds, nextTime * tick))
  return ['-seek_timestamp', '1', '-noaccurate_seek', '-ss', seconds.toFixed(6)]
}
