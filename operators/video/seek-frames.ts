import { type DecodeOptions, decodeFrames, decodeSelected, type FrameSource } from './decode-frames.ts'
import { mediaInput } from './ffmpeg-input.ts'
import type { Media } from './media.ts'
import { keyBefore, type SeekTable, seekTo } from './seek-table.ts'
import { VideoError } from './video-error.ts'

export interface SeekSource extends FrameSource {
  media: Media
}

/** Frames of a long clip decoded in one run, and thus in memory at once. */
const framesInOneRun = 8

/** A frame follows another in the same run when this few frames are between them. */
const nearFrames = 60

/**
 * Yields what `decodeFrames` yields, decoding from the key frame before each frame. Where that does not give exactly the
 * frames asked for, or ffmpeg finds a fault, it starts one key frame earlier (frames after a key frame may depend on
 * frames before it), and then from the beginning of the clip.
 */
export async function* seekFrames(
  source: SeekSource,
  table: SeekTable,
  indices: readonly number[],
  options: DecodeOptions,
): AsyncGenerator<Uint8Array> {
  const stop = new AbortController()
  const abort = () => stop.abort()
  options.signal?.addEventListener('abort', abort)
  const decode = async (run: Run) => {
    const limits = { ...options, signal: stop.signal }
    return (
      (await decodeRun(source, table, run, limits)) ?? (await decodeRun(source, table, earlier(run), limits))
    )
  }
  const runs = runsOf(table, indices)
  const ahead: Promise<Uint8Array[] | undefined>[] = []
  let done = 0
  try {
    if (options.signal?.aborted) stop.abort()
    for (let next = 0; done < indices.length; ) {
      for (; ahead.length < runsAtOnce && next < runs.length; next++) {
        const run = runs[next]
        if (run) ahead.push(decode(run))
        ahead.at(-1)?.catch(() => undefined) // awaited when it is its turn
      }
      const frames = await ahead.shift()
      if (!frames) break
      yield* frames
      done += frames.length
    }
  } finally {
    stop.abort()
    options.signal?.removeEventListener('abort', abort)
    await Promise.allSettled(ahead)
  }
  if (done < indices.length) yield* decodeFrames(source, indices.slice(done), options)
}

/** ffmpeg opens a file with one thread: the next run opens it while one decodes. */
const runsAtOnce = 2

interface Run {
  key: number
  indices: number[]
}

const earlier = (run: Run): Run => {
  return { ...run, key: Math.max(0, run.key - 1) }
}

function runsOf(table: SeekTable, indices: readonly number[]): Run[] {
  const runs: Run[] = []
  for (const index of indices) {
    const key = keyBefore(table, index)
    const run = runs.at(-1)
    const last = run?.indices.at(-1) ?? Number.NEGATIVE_INFINITY
    const isNear = run && (keyBefore(table, last) === key || index - last <= nearFrames)
    if (isNear && run.indices.length < framesInOneRun) run.indices.push(index)
    else runs.push({ key, indices: [index] })
  }
  return runs
}

/** The frames of a run, or undefined when ffmpeg found a fault on its way to them. */
async function decodeRun(
  source: SeekSource,
  table: SeekTable,
  { key, indices }: Run,
  options: DecodeOptions,
): Promise<Uint8Array[] | undefined> {
  const open = ['-copyts', ...mediaInput(source.media, seekTo(table, key))]
  const numbers = indices.map(index => table.times[index] ?? Number.NaN)
  let isWhole = true
  const onDamage = () => {
    isWhole = false
  }
  try {
    const frames: Uint8Array[] = []
    const selected = decodeSelected({ ...source, open }, { by: 'pts', numbers }, { ...options, onDamage })
    for await (const frame of selected) frames.push(frame)
    return isWhole ? frames : undefined
  } catch (error) {
    if (error instanceof VideoError && error.code === 'decode-failed') return undefined
    throw error
  }
}
