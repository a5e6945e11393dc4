import { runFfmpeg } from './ffmpeg.ts'
import { damageIn, isAboutFile, whatFfmpegSaid } from './ffmpeg-log.ts'
import { passthrough, progressFilter } from './find-ffmpeg.ts'
import { failed, type ProbeOptions } from './probe.ts'
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

export interface DecodeOptions extends ProbeOptions {
  /** Told what ffmpeg said about data that is cut or corrupt. */
  onDamage?: (words: string) => void
}

// The longest argument that Linux takes is 128 KiB; a number costs up to 40 bytes of it.
const numbersInOneRun = 2000

/**
 * Decodes the frames with these numbers, which increase, to packed 8-bit RGB, and yields each as soon as it is there.
 * ffmpeg decodes from the start, stops after the last one, and converts no other frame; at most one frame is held here.
 */
export async function* decodeFrames(
  source: FrameSource,
  indices: readonly number[],
  options: DecodeOptions,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < indices.length; at += numbersInOneRun)
    yield* decodeSelected(source, { by: 'n', numbers: indices.slice(at, at + numbersInOneRun) }, options)
}

/** Frames by their numbers from where decoding starts (`n`), or by their display times in ticks (`pts`). */
export interface Selected {
  by: 'n' | 'pts'
  numbers: readonly number[]
}

/** Decodes the selected frames in one run, in increasing order. */
export async function* decodeSelected(
  { path, open, input, width, height }: FrameSource,
  { by, numbers }: Selected,
  { deadlineSeconds, signal, onDamage }: DecodeOptions,
): AsyncGenerator<Uint8Array> {
  // One filter graph for the whole stream: were it made anew when the picture's size changes, counting would restart.
  const filters = `${await progressFilter()},select='${selection(numbers, by)}',scale=${width}:${height}`
  const args = [
    ...['-reinit_filter', '0', ...open, '-map', '0:V:0', '-vf', filters, ...(await passthrough())],
    ...['-frames:v', String(numbers.length), '-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'],
  ]
  const limits = { subject: path, deadlineSeconds, signal }
  const output = runFfmpeg(args, { ...limits, ...(input && { input: input() }) })
  let frame = new Uint8Array(width * height * 3)
  let filled = 0
  let count = 0
  try {
    for (;;) {
      const step = await output.next()
      if (step.done) {
        const damage = damageIn(step.value.log, path)
        if (damage !== undefined) onDamage?.(damage)
        if (count === numbers.length) return
        if (step.value.exitCode !== 0 && damage === undefined && !isAboutFile(step.value.log))
          throw failed(path, step.value)
        const missing = `${path}: ${count} of ${numbers.length} frames decoded, none for frame ${numbers[count]}`
        throw new VideoError(
          'decode-failed',
          `${missing}; ffmpeg said: ${whatFfmpegSaid(step.value.log, path)}`,
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

/** An expression over a variable, a balanced tree: ffmpeg evaluates it for every frame that it decodes. */
export function selection(numbers: readonly number[], by: 'n' | 'pts' = 'n'): string {
  if (numbers.length <= 4) return numbers.map(number => `eq(${by},${number})`).join('+')
  const middle = numbers.length >> 1
  const [left, right] = [numbers.slice(0, middle), numbers.slice(middle)]
  return `if(lt(${by},${numbers[middle]}),${selection(left, by)},${selection(right, by)})`
}
