import { codecs } from '#codecs'
import { operator } from '../../engine/operator.ts'
import { join } from '../../engine/platform/paths.ts'
import type { Clip } from '../kinds.ts'
import { pickFrames } from './pick-frames.ts'
import { thumbnail, tile } from './picture.ts'

/** Give it the same frames as `video.sample`: it decodes them for itself. */
export default operator({
  summary: 'Writes the frames that a model sees as one picture into the folder of the run.',
  config: {
    show: {
      type: 'boolean',
      default: true,
      description: 'Whether to write the picture; if not, clips are ignored.',
    },
    count: { type: 'integer', minimum: 1, default: 16, description: 'Frames of one clip.' },
    frameWidth: { type: 'integer', minimum: 1, default: 240, description: 'Width of one frame in pixels.' },
    columns: { type: 'integer', minimum: 1, default: 4, description: 'Frames in a row.' },
  },
  inputs: { clips: 'clip' },
  outputs: {},
  run: ({ clips }, { show, count, frameWidth, columns }, context) => {
    let number = 0
    const draw = async (clip: Clip): Promise<undefined> => {
      if (!show) return
      const choice = {
        mode: 'count',
        count,
        maxFrames: count,
        rule: 'L',
        unique: false,
        bounded: false,
      } as const
      const { width, height } = clip
      const pictures = []
      const indices = pickFrames(clip, choice)
      for await (const pixels of clip.frames(indices, context.signal))
        pictures.push(thumbnail({ width, height, pixels }, frameWidth))
      const path = join(context.runDirectory, number++ === 0 ? 'frames.jpg' : `frames-${number}.jpg`)
      await codecs.writeJpeg(path, tile(pictures, columns), 3, context.signal)
      const seconds = indices.map(index => (index / clip.framesPerSecond).toFixed(2))
      context.log(`${path}: ${indices.length} frames of ${clip.path} at ${seconds.join(', ')} s`)
    }
    return { drawn: clips.pipe(context.each(draw)) }
  },
})
