import { dirname } from 'node:path'
import { at } from '../../engine/shared/at.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { replaceFileBy } from '../../engine/shared/replace-file.ts'
import { finishFfmpeg } from './ffmpeg.ts'
import { whatFfmpegSaid } from './ffmpeg-log.ts'
import { passthrough } from './find-ffmpeg.ts'
import { VideoError } from './video-error.ts'

/** A picture of packed 8-bit RGB. */
export interface Picture {
  width: number
  height: number
  pixels: Uint8Array
}

/** The picture made narrower, its proportions kept: each new pixel is the mean of up to 3 × 3 old ones in its place. */
export function thumbnail({ width, height, pixels }: Picture, newWidth: number): Picture {
  const w = Math.min(newWidth, width)
  const h = Math.max(1, Math.round((height * w) / width))
  const out = new Uint8Array(w * h * 3)
  const taps = 3
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0
        for (let j = 0; j < taps; j++)
          for (let i = 0; i < taps; i++) {
            const row = Math.floor(((y + (j + 0.5) / taps) * height) / h)
            const column = Math.floor(((x + (i + 0.5) / taps) * width) / w)
            sum += at(pixels, (row * width + column) * 3 + channel)
          }
        out[(y * w + x) * 3 + channel] = Math.round(sum / taps ** 2)
      }
    }
  return { width: w, height: h, pixels: out }
}

/** Pictures of one size side by side, `columns` in a row. */
export function tile(pictures: readonly Picture[], columns: number): Picture {
  const { width = 1, height = 1 } = pictures[0] ?? {}
  const across = Math.min(columns, pictures.length)
  const sheet = {
    width: across * width,
    height: Math.ceil(pictures.length / across) * height,
  }
  const pixels = new Uint8Array(sheet.width * sheet.height * 3)
  for (const [i, picture] of pictures.entries()) {
    const [left, top] = [(i % across) * width, Math.floor(i / across) * height]
    for (let y = 0; y < height; y++)
      pixels.set(
        picture.pixels.subarray(y * width * 3, (y + 1) * width * 3),
        ((top + y) * sheet.width + left) * 3,
      )
  }
  return { ...sheet, pixels }
}

/** Writes a picture as JPEG; the file appears when it is whole. `quality` is ffmpeg's `-q:v`, 2 is best, 31 smallest. */
export async function writeJpeg(
  path: string,
  picture: Picture,
  quality = 5,
  signal?: AbortSignal,
): Promise<void> {
  const { width, height, pixels } = picture
  makeFolder(dirname(path))
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-video_size', `${width}x${height}`, '-i', 'pipe:0']
  const exact = ['-threads', '1', '-fflags', '+bitexact', '-flags:v', '+bitexact']
  const output = ['-frames:v', '1', '-pix_fmt', 'yuvj420p', '-q:v', String(quality), ...exact]
  await replaceFileBy(path, async partial => {
    const args = [...input, ...output, '-f', 'mjpeg', '-y', `file:${partial}`]
    const limits = { subject: path, deadlineSeconds, signal, input: listed([pixels]) }
    const { exitCode, log } = await finishFfmpeg(args, limits)
    if (exitCode !== 0)
      throw new VideoError(
        'encode-failed',
        `${path}: ffmpeg could not write it (exit code ${exitCode}); it said: ${whatFfmpegSaid(log, partial)}`,
      )
  })
}

/** Seconds without progress after which an ffmpeg that writes pictures is stopped. */
const deadlineSeconds = 60

/** JPEG files of one size, each scaled to a width, by one process. */
export async function scaledJpegs(
  files: readonly Uint8Array[],
  width: number,
  quality: number,
): Promise<Buffer[]> {
  const options = { subject: 'contact sheets', deadlineSeconds, input: listed(files) }
  const scale = ['-vf', `scale=${width}:-2:flags=area`, '-pix_fmt', 'yuvj420p', '-q:v', String(quality)]
  const output = ['-c:v', 'mjpeg', ...(await passthrough()), '-f', 'image2pipe', 'pipe:1']
  const chunks: Buffer[] = []
  const { exitCode, log } = await finishFfmpeg(
    ['-f', 'mjpeg', '-i', 'pipe:0', ...scale, ...output],
    options,
    chunk => chunks.push(chunk),
  )
  const smaller = pictures(Buffer.concat(chunks))
  if (smaller.length === files.length) return smaller
  const said = `exit code ${exitCode}; it said: ${whatFfmpegSaid(log, 'pipe:0')}`
  throw new VideoError(
    'encode-failed',
    `contact sheets: ffmpeg made ${smaller.length} of ${files.length} smaller, ${said}`,
  )
}

/** Splits a stream of JPEG pictures: the mark of an end occurs nowhere else in what ffmpeg writes. */
function pictures(stream: Buffer): Buffer[] {
  const found: Buffer[] = []
  const end = Buffer.from([0xff, 0xd9])
  for (let from = 0, to = stream.indexOf(end); to >= 0; to = stream.indexOf(end, from)) {
    found.push(stream.subarray(from, to + 2))
    from = to + 2
  }
  return found
}

async function* listed<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}
