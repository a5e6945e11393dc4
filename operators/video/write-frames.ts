import { basename, extname } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { hashText } from '../../engine/shared/hash.ts'
import { inside } from '../../engine/shared/inside.ts'
import type { Clip } from '../kinds.ts'
import { pickFrames } from './pick-frames.ts'
import { thumbnail } from './picture.ts'
import { writeJpeg } from './pictures.ts'

/** Each clip has a folder of its own, which video.decode reads as a clip of numbered pictures. */
export default operator({
  summary: 'Writes frames of each clip as JPEG files, and gives a row that names them.',
  config: {
    folder: { type: 'string', description: 'Folder to write into; it is created if it is missing.' },
    mode: {
      type: 'string',
      enum: ['count', 'one-a-second'],
      default: 'count',
      description: 'Take `count` frames, or one for each whole second of the clip.',
    },
    count: { type: 'integer', minimum: 1, default: 16, description: 'Frames of one clip, evenly spaced.' },
    maxFrames: { type: 'integer', minimum: 1, default: 64, description: 'Most frames in mode one-a-second.' },
    width: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description: 'Width in pixels to which wider frames are made smaller; 0: as the clip has them.',
    },
    quality: {
      type: 'number',
      minimum: 2,
      maximum: 31,
      default: 3,
      description: 'Of the JPEG files: 2 is best, 31 smallest.',
    },
  },
  inputs: { clips: 'clip' },
  outputs: { rows: 'row' },
  effects: true,
  drops: false,
  run: ({ clips }, { folder, mode, count, maxFrames, width, quality }, context) => {
    const choice = { mode, count, maxFrames, rule: 'L', unique: true, bounded: false } as const
    const write = async (clip: Clip) => {
      const { sample, path, framesPerSecond, width: clipWidth, height } = clip
      const indices = pickFrames(clip, choice)
      const place = folderOf(path)
      const frames: { path: string; seconds: number }[] = []
      for await (const pixels of clip.frames(indices, context.signal)) {
        const picture = thumbnail({ width: clipWidth, height, pixels }, width || clipWidth)
        const name = `${place}/${String(frames.length + 1).padStart(4, '0')}.jpg`
        await writeJpeg(inside(folder, name), picture, quality, context.signal)
        frames.push({ path: name, seconds: at(indices, frames.length) / framesPerSecond })
      }
      const { video, question, solution, fields } = sample
      return { video, ...(question !== '' && { question }), ...(solution && { solution }), ...fields, frames }
    }
    return { rows: clips.pipe(context.each(write, { concurrency: 2 })) }
  },
})

/** The clip's name, and a digest of its path because clips of two folders may have the same name. */
const folderOf = (path: string): string =>
  `${basename(path, extname(path))}-${hashText(path).toString(16).padStart(8, '0')}`
