import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { messageOf } from '../../engine/shared/errors.ts'
import { isKill, signalThatEnded } from '../ended-by.ts'
import { killGroup } from '../kill-group.ts'
import { whatFfmpegSaid } from './ffmpeg-log.ts'
import { findFfmpeg } from './find-ffmpeg.ts'
import { idle, workOf } from './process-work.ts'
import { VideoError } from './video-error.ts'

export interface FfmpegOptions {
  /** What the errors are about: usually the clip's path. */
  subject: string
  /** The process is killed when it makes no progress for this long: nothing read, written or decoded. */
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

/** Most bytes that ffmpeg may allocate at once: a frame of 8K takes 130 MB at most. */
const largestAllocation = 2 ** 30

/**
 * Runs ffmpeg and yields its standard output as it comes, slowed down by the reader; returns how it ended. The process
 * is gone when the generator is, however that ends: read to the end, left early, or thrown: `deadline`, `aborted`,
 * `ffmpeg-killed` when something else ended it by a signal.
 */
export async function* runFfmpeg(
  args: readonly string[],
  options: FfmpegOptions,
): AsyncGenerator<Buffer, FfmpegEnd> {
  const { path } = await findFfmpeg()
  const all = ['-hide_banner', '-nostdin', '-nostats', '-loglevel', 'level+info']
  return yield* runProgram(path, [...all, '-max_alloc', String(largestAllocation), ...args], options)
}

async function* runProgram(
  path: string,
  args: readonly string[],
  { subject, deadlineSeconds, signal, input }: FfmpegOptions,
): AsyncGenerator<Buffer, FfmpegEnd> {
  if (signal?.aborted) throw new VideoError('aborted', `${subject}: aborted`)
  // A group of its own: a kill reaches what a wrapper script has started, and Ctrl-C is left to us.
  const detached = process.platform !== 'win32'
  const child = spawn(path, args, { stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'], detached })
  const ended = endOf(child, path)
  let stopped: VideoError | undefined
  const stop = (reason: VideoError) => {
    stopped ??= reason
    killGroup(child)
  }
  const late = `${subject}: ffmpeg made no progress for ${deadlineSeconds} s (deadlineSeconds)`
  const watch = watchProgress(child.pid, deadlineSeconds, () => stop(new VideoError('deadline', late)))
  const abort = () => stop(new VideoError('aborted', `${subject}: aborted`))
  signal?.addEventListener('abort', abort)
  const log = keepEnds(65536)
  child.stderr?.setEncoding('utf8').on('data', log.add)
  child.stdio[3]?.on('data', watch.progress)
  child.stdio[3]?.on('error', () => undefined) // it is closed when the process is killed
  const feeding = input ? feed(child, input, watch.progress) : undefined
  try {
    try {
      yield* watch.read(child.stdout)
    } catch (error) {
      throw stopped ?? error
    }
    const { exitCode, endedBy } = await ended
    if (stopped) throw stopped
    await feeding
    if (child.stderr && !child.stderr.readableEnded) await once(child.stderr, 'close')
    const said = named(log.text(), args, subject)
    if (endedBy) throw killed(subject, endedBy, said)
    return { exitCode, log: said }
  } finally {
    watch.end()
    signal?.removeEventListener('abort', abort)
    if (child.exitCode === null && child.signalCode === null) killGroup(child)
    await ended.catch(() => undefined)
    await feeding?.catch(() => undefined)
  }
}

/** What ffmpeg said, with the clip's name in the place of the address that it opened. */
function named(log: string, args: readonly string[], subject: string): string {
  const address = args[args.indexOf('-i') + 1]
  return address === undefined || address.startsWith('pipe:')
    ? log
    : log.replaceAll(address, `file:${subject}`)
}

function endOf(child: ChildProcess, path: string): Promise<{ exitCode: number; endedBy?: string }> {
  const ended = new Promise<{ exitCode: number; endedBy?: string }>((resolve, reject) => {
    child.once('exit', (code, signal) => {
      const endedBy = signalThatEnded(code, signal)
      resolve({ exitCode: code ?? -1, ...(endedBy && { endedBy }) })
    })
    child.once('error', cause => {
      const { code } = cause as NodeJS.ErrnoException // what `spawn` emits
      const isAbsent = code === 'ENOENT' || code === 'EACCES'
      const message = `${path}: cannot be started: ${messageOf(cause)}`
      reject(new VideoError(isAbsent ? 'no-ffmpeg' : 'ffmpeg-failed', message, { cause, ofMachine: true }))
    })
  })
  ended.catch(() => undefined) // awaited later; until then a failed start is not unhandled
  return ended
}

function killed(subject: string, endedBy: string, log: string): VideoError {
  const said = whatFfmpegSaid(log, subject)
  const how = isKill(endedBy) ? 'was ended from outside' : 'crashed: it was ended'
  const message = `${subject}: ffmpeg ${how} by ${endedBy}; ffmpeg said: ${said}`
  return new VideoError('ffmpeg-killed', message, { ofMachine: isKill(endedBy) })
}

/**
 * Calls `late` after `seconds` without progress. Time in which nobody reads what is there does not count; and two looks
 * in a row must find nothing, because a busy process of ours may see the time pass before it sees the data. Nor does time
 * count in which the process would work but other programs have the processor.
 */
function watchProgress(pid: number | undefined, seconds: number, late: () => void) {
  let isReading = false
  let last = performance.now()
  let looks = 0
  let before = { last, worked: 0 }
  const progress = () => {
    last = performance.now()
    looks = 0
  }
  const look = () => {
    const { worked, isReady } = pid === undefined ? idle : workOf(pid)
    if (before.last !== last) before = { last, worked }
    const isStarved = isReady && worked - before.worked < seconds / 2
    if (isReading && performance.now() - last > seconds * 1000 && !isStarved && ++looks > 1) late()
  }
  const timer = setInterval(look, Math.min(1000, (seconds * 1000) / 4))
  return {
    progress,
    end: () => clearInterval(timer),
    async *read(stream: Readable | null): AsyncGenerator<Buffer> {
      if (!stream) return
      progress()
      isReading = true
      for await (const chunk of stream) {
        isReading = false
        yield chunk
        progress()
        isReading = true
      }
    },
  }
}

/** Ends quietly when the child stops reading: it has what it needs, or its exit tells why not. */
async function feed(
  child: ChildProcess,
  input: AsyncIterable<Uint8Array>,
  progress: () => void,
): Promise<void> {
  const { stdin } = child
  if (!stdin) return
  let isOpen = true
  // `once` of node:events would reject when the child has closed the pipe: its exit tells more
  const closed = new Promise<void>(resolve => {
    stdin.once('close', () => {
      isOpen = false
      resolve()
    })
  })
  stdin.on('error', () => stdin.destroy())
  try {
    for await (const piece of input) {
      if (!isOpen) return
      if (!stdin.write(piece))
        await Promise.race([new Promise<void>(resolve => stdin.once('drain', () => resolve())), closed])
      progress()
    }
  } catch (error) {
    stdin.destroy() // else ffmpeg would wait for the rest
    throw error
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

/** Reads a run of ffmpeg to its end; its output is given to `take`. */
export async function finishFfmpeg(
  args: readonly string[],
  options: FfmpegOptions,
  take: (chunk: Buffer) => void = () => undefined,
): Promise<FfmpegEnd> {
  const output = runFfmpeg(args, options)
  try {
    for (;;) {
      const step = await output.next()
      if (step.done) return step.value
      take(step.value)
    }
  } finally {
    await output.return({ exitCode: 0, log: '' })
  }
}
