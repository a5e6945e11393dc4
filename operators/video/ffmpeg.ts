import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { killGroup } from '../kill-group.ts'
import { VideoError } from './video-error.ts'

export interface FfmpegOptions {
  /** What the errors are about: usually the clip's path. */
  subject: string
  /** The process is killed when it has not ended by then. */
  deadlineSeconds: number
  signal?: AbortSignal | undefined
  /** Written to standard input, piece by piece. */
  input?: AsyncIterable<Uint8Array>
}

export interface FfmpegEnd {
  exitCode: number
  /** Standard error without progress lines: its first and last 64 KiB. */
  log: string
}

/**
 * Runs ffmpeg and yields its standard output as it comes, slowed down by the reader; returns how it ended. The process
 * is gone when the generator is, however that ends: read to the end, left early, `deadline` or `aborted` (thrown).
 */
export async function* runFfmpeg(
  args: readonly string[],
  options: FfmpegOptions,
): AsyncGenerator<Buffer, FfmpegEnd> {
  const { path } = await findFfmpeg(options)
  return yield* runProgram(
    path,
    ['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'level+info', ...args],
    options,
  )
}

/** Flags that keep every decoded frame, once: the option was renamed in ffmpeg 5.1. */
export async function passthrough(options: FfmpegOptions): Promise<string[]> {
  const { codecVersion } = await findFfmpeg(options)
  return [codecVersion >= 60 ? '-fps_mode' : '-vsync', 'passthrough']
}

/** The last errors of a log (or warnings, when there are none) in one line, without its marks and the file's name. */
export function whatFfmpegSaid(log: string, path: string): string {
  const lines = log.split(/[\r\n]+/).filter(line => !line.includes('-vsync is deprecated'))
  const errors = lines.filter(line => /^(\[[^\]]*\] ?)*\[(error|fatal|panic)\]/.test(line))
  const telling = errors.length > 0 ? errors : lines.filter(line => /^(\[[^\]]*\] ?)*\[warning\]/.test(line))
  // ffmpeg 7 puts what ffmpeg 4 to 6 said after the file's name behind words of its own.
  const said = telling
    .map(line =>
      withoutPrefixes(line)
        .replace(`file:${path}: `, '')
        .replace(/^Error opening input( files)?: /, '')
        .trim(),
    )
    .filter(line => !line.startsWith('Error opening input file '))
  return [...new Set(said)].slice(-2).join('; ').slice(-300) || 'nothing'
}

/** Text without the marks that ffmpeg puts before each line: the object that speaks and the level. */
export const withoutPrefixes = (log: string): string => log.replace(/^(\[[^\]\n]*\] ?)+/gm, '')

interface Ffmpeg {
  path: string
  /** Major version of libavcodec: 58 in ffmpeg 4, 59 in 5, 60 in 6, … whatever the build calls itself. */
  codecVersion: number
}

const known = new Map<string, Ffmpeg>()

async function findFfmpeg(options: FfmpegOptions): Promise<Ffmpeg> {
  const named = process.env.FFMPEG_BIN
  const key = `${named} ${process.env.PATH}`
  const found = known.get(key)
  if (found) return found
  const candidates = named ? [named] : [await bundledPath(), 'ffmpeg']
  for (const path of candidates) {
    const codecVersion = path === undefined ? undefined : await codecVersionOf(path, options)
    if (path === undefined || codecVersion === undefined) continue
    known.set(key, { path, codecVersion })
    return { path, codecVersion }
  }
  throw new VideoError(
    'no-ffmpeg',
    named
      ? `FFMPEG_BIN names ${named}, which does not run as ffmpeg; unset it or name a working binary`
      : 'no ffmpeg: looked for FFMPEG_BIN (not set), the npm package ffmpeg-static, and ffmpeg on PATH; any one of them will do',
  )
}

async function bundledPath(): Promise<string | undefined> {
  const name = 'ffmpeg-static' // an optional dependency: absent where its download failed
  const bundled: unknown = await import(name).then(
    module => module.default,
    () => undefined,
  )
  return typeof bundled === 'string' ? bundled : undefined
}

async function codecVersionOf(path: string, options: FfmpegOptions): Promise<number | undefined> {
  try {
    const deadlineSeconds = Math.min(options.deadlineSeconds, 10)
    let text = ''
    const about = { subject: path, deadlineSeconds, signal: options.signal }
    for await (const chunk of runProgram(path, ['-version'], about)) text += chunk.toString()
    const version = /^libavcodec\s+(\d+)\./m.exec(text)?.[1]
    return version === undefined ? undefined : Number(version)
  } catch (error) {
    if (error instanceof VideoError && error.code === 'no-ffmpeg') return undefined
    throw error
  }
}

async function* runProgram(
  path: string,
  args: readonly string[],
  { subject, deadlineSeconds, signal, input }: FfmpegOptions,
): AsyncGenerator<Buffer, FfmpegEnd> {
  if (signal?.aborted) throw new VideoError('aborted', `${subject}: aborted`)
  // A group of its own: a kill reaches what a wrapper script has started, and Ctrl-C is left to us.
  const detached = process.platform !== 'win32'
  const child = spawn(path, args, { stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'], detached })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('exit', code => resolve(code ?? -1))
    child.once('error', cause => reject(new VideoError('no-ffmpeg', `${path}: ${cause.message}`)))
  })
  ended.catch(() => undefined) // awaited below; until then a failed start is not unhandled
  let stopped: VideoError | undefined
  const stop = (reason: VideoError) => {
    stopped ??= reason
    killGroup(child)
  }
  const late = `${subject}: ffmpeg did not end within ${deadlineSeconds} s (deadlineSeconds)`
  const timer = setTimeout(() => stop(new VideoError('deadline', late)), deadlineSeconds * 1000)
  const abort = () => stop(new VideoError('aborted', `${subject}: aborted`))
  signal?.addEventListener('abort', abort)
  const log = keepEnds(65536)
  child.stderr?.setEncoding('utf8').on('data', log.add)
  const feeding = input ? feed(child, input) : undefined
  try {
    try {
      for await (const chunk of child.stdout ?? []) yield chunk
    } catch (error) {
      throw stopped ?? error
    }
    const exitCode = await ended
    if (stopped) throw stopped
    await feeding
    if (child.stderr && !child.stderr.readableEnded) await once(child.stderr, 'close')
    return { exitCode, log: log.text() }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    if (child.exitCode === null && child.signalCode === null) killGroup(child)
    await ended.catch(() => undefined)
    await feeding?.catch(() => undefined)
  }
}

/** Ends quietly when the child stops reading: it has what it needs, or its exit tells why not. */
async function feed(child: ChildProcess, input: AsyncIterable<Uint8Array>): Promise<void> {
  const { stdin } = child
  if (!stdin) return
  let open = true
  const closed = once(stdin, 'close').then(() => {
    open = false
  })
  stdin.on('error', () => stdin.destroy())
  for await (const piece of input) {
    if (!open) return
    if (!stdin.write(piece)) await Promise.race([once(stdin, 'drain').catch(() => undefined), closed])
  }
  stdin.end()
}

function keepEnds(size: number) {
  let head = ''
  let tail = ''
  return {
    add: (text: string) => {
      const room = Math.max(0, size - head.length)
      head += text.slice(0, room)
      tail = (tail + text.slice(room)).slice(-size)
    },
    text: () => head + tail,
  }
}
