import { StringDecoder } from 'node:string_decoder'
import { VideoError } from './video-error.ts'

/** What is known about the packets of a video: in ticks, in decoding order. */
export interface Packets {
  readonly count: number
  /** A tick in seconds, as a fraction. */
  readonly timeBase: readonly [number, number]
  /** Decode times of the first and the last packet, and how long the last one lasts. */
  readonly first: number
  readonly last: number
  readonly lastDuration: number
  /** Display times of the packets that give a frame; NaN where there is none. */
  readonly times: Numbers
  /** Of the key packets: their display and decode times. */
  readonly keyTimes: Numbers
  readonly keyDecodeTimes: Numbers
}

/** Arguments of an output that lists the packets of the video, and of the sound where it matters when that ends. */
export const listingOutput = (withSound: boolean): string[] => [
  ...['-map', '0:V:0', ...(withSound ? ['-map', '0:a?'] : []), '-c', 'copy', '-copyinkf'],
  ...['-f', 'framecrc', 'pipe:1'],
]

/**
 * What a listing of packets by ffmpeg's framecrc says, of any length: a line each with the stream, times in ticks,
 * size, checksum, and flags where they are not those of a key frame. Stream 0 is the video.
 */
export class PacketListing implements Packets {
  count = 0
  timeBase: readonly [number, number] = [0, 1]
  first = Number.NaN
  last = Number.NaN
  lastDuration = 0
  /** Packets that their container says are cut or corrupt. */
  corrupt = 0
  /** Size of a frame as the container states it; 0 when it does not. */
  pixels = 0
  readonly times = new Numbers()
  readonly keyTimes = new Numbers()
  readonly keyDecodeTimes = new Numbers()
  readonly #decoder = new StringDecoder()
  readonly #ends = new Map<string, string>()
  readonly #bases = new Map<string, number>()
  #videoEnd = Number.NEGATIVE_INFINITY
  #rest = ''

  readonly #path: string

  /** `path`: what errors are about. */
  constructor(path: string) {
    this.#path = path
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('0,')) this.#packet(line)
      else if (line.startsWith('#')) this.#header(line)
      else if (/^\d+,/.test(line)) this.#ends.set(line.slice(0, line.indexOf(',')), line)
      else throw new VideoError('ffmpeg-failed', `${this.#path}: not a listing of packets by ffmpeg: ${line}`)
    }
  }

  /** Seconds at which the last of all listed streams ends. */
  get endSeconds(): number {
    const others = [...this.#ends].map(([stream, line]) => {
      const [, decode, display, duration] = line.split(',').map(Number)
      return endOf(decode, display, duration) * (this.#bases.get(stream) ?? 0)
    })
    return Math.max(this.#videoEnd * (this.#bases.get('0') ?? 0), ...others)
  }

  #header(line: string): void {
    const [, stream, ticks, perSecond] = /^#tb (\d+): (\d+)\/(\d+)/.exec(line) ?? []
    if (stream !== undefined) this.#bases.set(stream, Number(ticks) / Number(perSecond))
    if (stream === '0') this.timeBase = [Number(ticks), Number(perSecond)]
    const [, width, height] = /^#dimensions 0: (\d+)x(\d+)/.exec(line) ?? []
    if (width !== undefined) this.pixels = Number(width) * Number(height)
  }

  #packet(line: string): void {
    const fields = line.split(',')
    const [, decode, display = Number.NaN, duration = 0] = fields.map(Number)
    const flags = Number(fields.find(field => field.startsWith(' F='))?.slice(3) ?? keyFlag)
    this.count++
    this.last = decode ?? Number.NaN
    this.lastDuration = duration
    if (this.count === 1) this.first = this.last
    if (flags & corruptFlag) this.corrupt++
    this.#videoEnd = Math.max(this.#videoEnd, endOf(decode, display, duration))
    const time = display < earliest ? Number.NaN : display
    if (!(flags & discardFlag)) this.times.push(time)
    if (!(flags & keyFlag)) return
    this.keyTimes.push(time)
    this.keyDecodeTimes.push(this.last)
  }
}

const [keyFlag, corruptFlag, discardFlag] = [1, 2, 4]

/** ffmpeg writes the least 64-bit number for a time that is not stated. */
const earliest = -(2 ** 62)

/** The last tick of a packet. */
function endOf(decode = Number.NaN, display = Number.NaN, duration = 0): number {
  const start = display < earliest ? decode : display
  return start < earliest ? Number.NEGATIVE_INFINITY : start + duration
}

/** A list of numbers that takes 8 to 16 bytes for each. */
export class Numbers {
  length = 0
  #values = new Float64Array(1024)

  push(value: number): void {
    if (this.length === this.#values.length) {
      const longer = new Float64Array(2 * this.length)
      longer.set(this.#values)
      this.#values = longer
    }
    this.#values[this.length++] = value
  }

  values(): Float64Array {
    return this.#values.subarray(0, this.length)
  }
}
