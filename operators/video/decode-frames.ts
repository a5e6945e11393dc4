import { passthrough, runFfmpeg, whatFfmpegSaid } from './ffmpeg.ts'
import type { ProbeOptions } from './probe.ts'
import { VideoError } from './video-error.ts'

export interface FrameSource {
  /** What errors are about. */
  path: string
  /** Arguments up to `-i FILE`. */
  open: readonly string[]
  input?: () => AsyncIterable<Uint8Array>
  width: number
  height: number
}

// The longest argument that Linux takes is 128 KiB; an index costs up to 30 bytes of it.
const indicesInOneRun = 2000

/**
 * Decodes the frames with these numbers, which increase, to packed 8-bit RGB, and yields each as soon as it is there.
 * ffmpeg stops behind the last one, and converts no other frame; at most one frame is held here.
 */
export async function* decodeFrames(
  source: FrameSource,
  indices: readonly number[],
  options: ProbeOptions,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < indices.length; at += indicesInOneRun)
    yield* decodeOnce(source, indices.slice(at, at + indicesInOneRun), options)
}

async function* decodeOnce(
  source: FrameSource,
  indices: readonly number[],
  { deadlineSeconds, signal }: ProbeOptions,
): AsyncGenerator<Uint8Array> {
  const { path, open, width, height } = source
  const options = { subject: path, deadlineSeconds, signal, ...(source.input && { input: source.input() }) }
  // One filter graph for the whole stream: were it made anew when the picture's size changes, counting would restart.
  const filters = `select='${selection(indices)}',scale=${width}:${height}`
  const pixels = ['-frames:v', String(indices.length), '-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1']
  const args = [
    '-reinit_filter',
    '0',
    ...open,
    '-map',
    '0:V:0',
    '-vf',
    filters,
    ...(await passthrough(options)),
    ...pixels,
  ]
  const output = runFfmpeg(args, options)
  let frame = new Uint8Array(width * height * 3)
  let filled = 0
  let count = 0
  try {
    for (;;) {
      const step = await output.next()
      if (step.done) {
        if (count === indices.length) return
        const said = whatFfmpegSaid(step.value.log, path)
        const missing = `${path}: ${count} of ${indices.length} frames decoded`
        throw new VideoError(
          'decode-failed',
          `${missing}, none for frame ${indices[count]}; ffmpeg said: ${said}`,
        )
      }
      for (let from = 0; from < step.value.length; ) {
        const taken = Math.min(step.value.length - from, frame.length - filled)
        frame.set(step.value.subarray(from, from + taken), filled)
        from += taken
        filled += taken
        if (filled < frame.length) continue
        const done = frame
        frame = new Uint8Array(frame.length)
        filled = 0
        count++
        yield done
      }
    }
  } finally {
    await output.return({ exitCode: 0, log: '' })
  }
}

/** An expression over the frame number `n`, a balanced tree: ffmpeg evaluates it for every frame that it decodes. */
export function selection(indices: readonly number[]): string {
  if (indices.length <= 4) return indices.map(index => `eq(n,${index})`).join('+')
  const middle = indices.length >> 1
  const [left, right] = [indices.slice(0, middle), indices.slice(middle)]
  return `if(lt(n,${indices[middle]}),${selection(left)},${selection(right)})`
}
