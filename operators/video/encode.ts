import { dirname } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { inside } from '../../engine/shared/inside.ts'
import { replaceFileBy } from '../../engine/shared/replace-file.ts'
import { resolvePath } from '../builtin.ts'
import type { Pictures } from '../kinds.ts'
import { finishFfmpeg } from './ffmpeg.ts'
import { whatFfmpegSaid } from './ffmpeg-log.ts'
import { VideoError } from './video-error.ts'

export default operator({
  summary: 'Encodes pictures into a video file and then passes on the rows of data about it.',
  config: {
    folder: {
      type: 'string',
      writes: true,
      description: "Folder that the clips' paths start from; it is created if it is missing.",
    },
    codec: {
      type: 'string',
      default: 'mpeg4',
      description: 'Video encoder of ffmpeg; the default is part of every build, e.g. `libx264` is not.',
    },
    quality: {
      type: 'number',
      minimum: 1,
      maximum: 31,
      default: 3,
      description: 'Quantiser of encoders that have one (`-q:v`): 1 is best.',
    },
    deadlineSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 60,
      description:
        'Longest time that ffmpeg may make no progress; after it ffmpeg is stopped and the clip fails.',
    },
  },
  inputs: { clips: 'pictures' },
  outputs: { rows: 'row' },
  drops: true,
  run: ({ clips }, { folder, ...options }, context) => ({
    rows: clips?.pipe(
      context.each<Pictures, Readonly<Record<string, unknown>>>(
        async (pictures, { key }) => {
          await encodeVideo(inside(resolvePath(folder), pictures.path), pictures, {
            ...options,
            signal: context.signal,
          })
          return pictures.rows.map((row, i) => context.emit(row, { key: `${key}/${i}` }))
        },
        { concurrency: 2, keep: false },
      ),
    ),
  }),
})

export interface EncodeOptions {
  codec: string
  quality: number
  deadlineSeconds: number
  signal?: AbortSignal
}

/** Writes pictures as a video; the name's ending chooses the container. The file appears when it is whole. */
export async function encodeVideo(path: string, pictures: Pictures, options: EncodeOptions): Promise<void> {
  const { width, height, framesPerSecond, frames } = pictures
  const { codec, quality, deadlineSeconds, signal } = options
  const bytes = width * height * 3
  const wrong = frames.findIndex(frame => frame.length !== bytes)
  if (frames.length === 0) throw new VideoError('no-frames', `${path}: no frame to encode`)
  if (wrong >= 0) {
    const found = `frame ${wrong} has ${frames[wrong]?.length} bytes, a ${width}×${height} RGB frame has ${bytes}`
    throw new VideoError('bad-frame', `${path}: ${found}`)
  }
  makeFolder(dirname(path))
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-video_size', `${width}x${height}`]
  const rate = ['-framerate', String(framesPerSecond), '-i', 'pipe:0']
  const output = ['-c:v', codec, '-q:v', String(quality), '-pix_fmt', 'yuv420p']
  // The same pictures give the same bytes: no version in the file, no threads that cut it differently.
  const exact = ['-threads', '1', '-fflags', '+bitexact', '-flags:v', '+bitexact']
  await replaceFileBy(path, async partial => {
    const args = [...input, ...rate, ...output, ...exact, '-y', `file:${partial}`]
    const limits = { subject: path, deadlineSeconds, signal, input: toAsync(frames) }
    const { exitCode, log } = await finishFfmpeg(args, limits)
    if (exitCode !== 0) {
      const said = whatFfmpegSaid(log, partial)
      throw new VideoError(
        'encode-failed',
        `${path}: ffmpeg could not encode it with ${codec}; it said: ${said}`,
      )
    }
  })
}

async function* toAsync<T>(list: readonly T[]): AsyncGenerator<T> {
  yield* list
}
