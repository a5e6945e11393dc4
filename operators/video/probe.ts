import { stat } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { type FfmpegEnd, passthrough, runFfmpeg, whatFfmpegSaid, withoutPrefixes } from './ffmpeg.ts'
import { VideoError } from './video-error.ts'

export interface ProbeOptions {
  /** Each ffmpeg process is killed when it has not ended by then. */
  deadlineSeconds: number
  signal?: AbortSignal | undefined
}

export interface VideoFacts {
  /** Frames that really decode. */
  frameCount: number
  /** Average frames a second, as a fraction. */
  rate: readonly [number, number]
  /** Size of a decoded frame, as stored. */
  width: number
  height: number
  /** What ffmpeg said about data that is cut or corrupt, when it did: some frames are then missing or wrong. */
  damage?: string
}

/**
 * Decodes the first video stream of a file to its end, without converting pixels: headers lie about the number of
 * frames. Cover pictures of audio files do not count as video. Errors name the file and say what ffmpeg said.
 */
export async function probeVideo(
  path: string,
  { deadlineSeconds, signal }: ProbeOptions,
): Promise<VideoFacts> {
  await expectFile(path)
  const options = { subject: path, deadlineSeconds, signal }
  const decode = ['-map', '0:V:0', ...(await passthrough(options)), '-f', 'null', '-']
  const packets = ['-map', '0:V:0', '-c', 'copy', '-copyinkf', '-f', 'framecrc', 'pipe:1']
  const listing = new PacketListing()
  const output = runFfmpeg([...inputOf(path), ...decode, ...packets], options)
  let step = await output.next()
  for (; !step.done; step = await output.next()) listing.add(step.value)
  return facts(path, step.value, listing)
}

/** Arguments that open a file as published readers see it: rotation is not applied. A name is never an option or a protocol. */
export const inputOf = (path: string): string[] => ['-noautorotate', '-i', `file:${path}`]

export async function expectFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw new VideoError('no-file', `${path}: no such file`)
  if (!found.isFile()) throw new VideoError('no-file', `${path}: not a file`)
  if (found.size === 0) throw new VideoError('not-a-video', `${path}: the file is empty`)
}

function facts(path: string, { exitCode, log }: FfmpegEnd, listing: PacketListing): VideoFacts {
  const [input = '', output = ''] = withoutPrefixes(log).split(/^Output #0/m)
  const banner = videoLine(input)
  const fail = (code: string, what: string) =>
    new VideoError(code, `${path}: ${what}; ffmpeg said: ${whatFfmpegSaid(log, path)}`)
  if (!/^Input #0/m.test(input)) throw fail('not-a-video', 'not a video that ffmpeg can read')
  if (banner === undefined || log.includes('matches no streams'))
    throw fail('no-video-stream', 'has no video stream')
  const counts = [...output.matchAll(/frame=\s*(\d+)/g)]
  const frameCount = Number(counts.at(-1)?.[1] ?? 0)
  const [, width, height] = /, (\d+)x(\d+)/.exec(videoLine(output) ?? '') ?? []
  if (frameCount === 0 || width === undefined) throw fail('no-frames', `no frame decodes (exit ${exitCode})`)
  const rate = averageRate(
    Number(/ ([\d.]+) fps/.exec(banner)?.[1] ?? 0),
    listing,
    /^Input #0, (.*), from/m.exec(input)?.[1] ?? '',
  )
  if (!rate) throw fail('no-frame-rate', 'the frame rate is unknown')
  const damaged = log.split(/[\r\n]+/).filter(line => damage.test(line))
  const damageFound = damaged.length > 0 && { damage: whatFfmpegSaid(damaged.join('\n'), path) }
  return { frameCount, rate, width: Number(width), height: Number(height), ...damageFound }
}

const damage =
  /\[(error|fatal)\].*(partial file|corrupt|truncat|invalid data|invalid nal|error while decoding)/i

const videoLine = (text: string): string | undefined =>
  text.split('\n').find(line => /^\s*Stream #\d+.*: Video: /.test(line) && !line.includes('(attached pic)'))

/** Count, time base and decode times of the packets, from a framecrc listing of any length. */
class PacketListing {
  count = 0
  timeBase: readonly [number, number] = [0, 1]
  first = Number.NaN
  last = Number.NaN
  lastDuration = 0
  readonly #decoder = new StringDecoder()
  #rest = ''

  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    const base = /^#tb 0: (\d+)\/(\d+)/.exec(line)
    if (base) this.timeBase = [Number(base[1]), Number(base[2])]
    if (line.startsWith('#') || line === '') return
    const [, time, , duration] = line.split(',')
    this.count++
    this.last = Number(time)
    this.lastDuration = Number(duration)
    if (this.count === 1) this.first = this.last
  }
}

/**
 * The container's average rate. ffmpeg prints it with two decimals; the packets' times give it exactly where the
 * container's own clock is exact (mp4, avi), and elsewhere it is the usual rate that prints so, where there is one.
 */
export function averageRate(
  printed: number,
  packets: Pick<PacketListing, 'count' | 'first' | 'last' | 'lastDuration' | 'timeBase'>,
  container: string,
): readonly [number, number] | undefined {
  const [tick, ticksPerSecond] = packets.timeBase
  const span = (packets.last - packets.first + packets.lastDuration) * tick
  const measured =
    Number.isSafeInteger(span) && span > 0 ? reduced(packets.count * ticksPerSecond, span) : undefined
  const agrees = ([n, d]: readonly [number, number]) =>
    Math.abs(n / d - printed) <= (printed < 0.01 ? 0.000051 : 0.0051)
  if (printed === 0) return measured
  if (measured && agrees(measured) && /^(mov|avi)/.test(container)) return measured
  const usual = usualRates.find(agrees)
  if (usual) return usual
  return measured && agrees(measured) ? measured : reduced(Math.round(printed * 100), 100)
}

// NTSC rates last: 29.97 fits only them, 30 only the whole number.
const usualRates: readonly (readonly [number, number])[] = [
  ...Array.from({ length: 240 }, (_, i) => [i + 1, 1] as const),
  ...[12, 15, 24, 30, 48, 60, 120].map(rate => [rate * 1000, 1001] as const),
  ...[5, 15, 25].map(rate => [rate, 2] as const),
]

function reduced(numerator: number, denominator: number): readonly [number, number] {
  let [a, b] = [numerator, denominator]
  while (b > 0) [a, b] = [b, a % b]
  return [numerator / a, denominator / a]
}
