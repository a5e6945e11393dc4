import { dirname } from 'node:path'
import { makeFolder } from '../../engine/shared/files.ts'
import { replaceFileBy } from '../../engine/shared/replace-file.ts'
import { finishFfmpeg } from './ffmpeg.ts'
import { whatFfmpegSaid } from './ffmpeg-log.ts'
import { passthrough } from './find-ffmpeg.ts'
import type { Picture } from './picture.ts'
import { VideoError } from './video-error.ts'

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
