// Clips in a browser tab: mediabunny reads the containers, WebCodecs decodes.
import {
  ALL_FORMATS,
  CustomSource,
  EncodedPacketSink,
  Input,
  type InputVideoTrack,
  type VideoSample,
  VideoSampleSink,
} from 'mediabunny'
import { open, stat } from '../../../engine/platform/files.ts'
import { messageOf } from '../../../engine/shared/errors.ts'
import type { Clip, Sample } from '../../kinds.ts'
import { averageRate } from '../average-rate.ts'
import { clipOf, type DecodeLimits } from '../clip-of.ts'
import { VideoError } from '../video-error.ts'
import type { Codecs, OpenOptions } from './codecs.ts'
import { rgbOf } from './rgb.ts'
import { writeJpeg } from './write-jpeg.ts'

/** The browser's own decoders and encoders. */
export const codecs: Codecs = { openClip, writeJpeg }

const formats = 'MP4, MOV, WebM, Matroska, MPEG-TS or Ogg'
const remedy = 'make one that every browser plays: ffmpeg -i CLIP -c:v libvpx-vp9 CLIP.webm'

async function openClip(path: string, sample: Sample, options: OpenOptions): Promise<Clip> {
  if (!('VideoDecoder' in globalThis))
    throw new VideoError(
      'no-decoder',
      `${path}: this browser has no WebCodecs: take Chrome or Edge 94, Safari 16.4, Firefox 130 or a newer one`,
    )
  const input = await openInput(path)
  try {
    const track = await videoTrack(input, path)
    const times = await timesOf(track)
    if (times.length === 0) throw new VideoError('no-frames', `${path}: it holds no frame`)
    const sink = new VideoSampleSink(track)
    const limits = { deadlineSeconds: options.deadlineSeconds, signal: options.signal }
    const { matrix } = await track.getColorSpace()
    async function* decode(indices: readonly number[], about: DecodeLimits): AsyncGenerator<Uint8Array> {
      const shown = indices.map(index => times[index] ?? 0)
      for await (const frame of samplesAt(path, sink, shown, about))
        yield await rgbOf(frame, matrix ?? undefined)
    }
    const { width, height } = await sizeOf(path, sink, times[0] ?? 0, limits)
    const rate = await rateOf(track, times)
    const facts = { frameCount: times.length, rate, width, height }
    const clip = clipOf({ path, sample, facts, firstFrame: 0 }, limits, decode)
    return Object.assign(clip, { close: () => input.dispose() })
  } catch (error) {
    input.dispose()
    if (error instanceof VideoError) throw error
    throw new VideoError('not-a-video', `${path}: cannot be read as ${formats}: ${messageOf(error)}`)
  }
}

async function openInput(path: string): Promise<Input> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw new VideoError('no-file', `${path}: there is no such file`)
  if (found.isDirectory())
    throw new VideoError('bad-folder', `${path}: folders of pictures are read by flow in Node only`)
  const file = await open(path)
  const read = async (start: number, end: number) => {
    const bytes = new Uint8Array(end - start)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
    return bytes.subarray(0, bytesRead)
  }
  const dispose = () => void file.close()
  const source = new CustomSource({ getSize: () => found.size, read, dispose })
  return new Input({ formats: ALL_FORMATS, source })
}

async function videoTrack(input: Input, path: string): Promise<InputVideoTrack> {
  // a file that is shorter than any header makes the reader throw
  if (!(await input.canRead().catch(() => false)))
    throw new VideoError('not-a-video', `${path}: must be ${formats}, which a browser can read; ${remedy}`)
  const track = await input.getPrimaryVideoTrack()
  if (!track) throw new VideoError('no-video-stream', `${path}: it holds no video`)
  if (await track.canDecode()) return track
  const codec = (await track.getCodecParameterString()) ?? (await track.getInternalCodecId()) ?? 'its codec'
  throw new VideoError('no-decoder', `${path}: this browser cannot decode ${codec}; ${remedy}`)
}

/** When each frame is shown, in seconds, in the order of showing. */
async function timesOf(track: InputVideoTrack): Promise<number[]> {
  // in VP8 a frame that is never shown has a packet of its own; other formats put it into the packet of one that is
  const isVp8 = (await track.getCodec()) === 'vp8'
  const times: number[] = []
  for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, {
    metadataOnly: !isVp8,
  })) {
    const isShown = !isVp8 || ((packet.data[0] ?? 0) & 0b1_0000) !== 0
    // before the beginning that an edit list sets
    if (isShown && packet.timestamp >= 0) times.push(packet.timestamp)
  }
  return times.sort((a, b) => a - b)
}

async function rateOf(track: InputVideoTrack, times: readonly number[]): Promise<readonly [number, number]> {
  const ticksPerSecond = Math.round(await track.getTimeResolution())
  const end = await track.computeDuration()
  const ticks = (seconds: number) => Math.round(seconds * ticksPerSecond)
  const [first, last] = [times[0] ?? 0, times.at(-1) ?? 0]
  const seconds = end - first
  const printed = seconds > 0 ? Math.round((times.length / seconds) * 100) / 100 : 0
  const packets = {
    count: times.length,
    first: ticks(first),
    last: ticks(last),
    lastDuration: ticks(end - last),
  }
  const container = (await track.input.getFormat()).name === 'MP4' ? 'mov' : 'other'
  // a single picture without a duration has no rate: one a second
  return averageRate(printed, { ...packets, timeBase: [1, ticksPerSecond] }, container) ?? [1, 1]
}

async function sizeOf(path: string, sink: VideoSampleSink, time: number, limits: DecodeLimits) {
  for await (const frame of samplesAt(path, sink, [time], limits))
    return { width: frame.visibleRect.width, height: frame.visibleRect.height }
  throw new VideoError('decode-failed', `${path}: its first frame cannot be decoded`)
}

/** The decoded frames at these times; each is closed after its turn. */
async function* samplesAt(
  path: string,
  sink: VideoSampleSink,
  times: readonly number[],
  { deadlineSeconds, signal }: DecodeLimits,
): AsyncGenerator<VideoSample> {
  const frames = sink.samplesAtTimestamps(times)
  try {
    for (let count = 0; ; count++) {
      signal?.throwIfAborted()
      const next = await within(deadlineSeconds, path, frames.next())
      if (next.done) return
      if (!next.value) {
        const missing = `${path}: ${count} of ${times.length} frames decoded, none at ${times[count]} s`
        throw new VideoError('decode-failed', missing)
      }
      try {
        yield next.value
      } finally {
        next.value.close()
      }
    }
  } catch (error) {
    if (error instanceof VideoError || signal?.aborted) throw error
    throw new VideoError('decode-failed', `${path}: this browser could not decode it: ${messageOf(error)}`)
  } finally {
    void frames.return()
  }
}

async function within<T>(seconds: number, path: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, fail) => {
    const error = new VideoError('deadline', `${path}: decoding made no progress for ${seconds} s`)
    timer = setTimeout(() => fail(error), seconds * 1000)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
