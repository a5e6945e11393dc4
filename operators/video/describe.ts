import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Clip } from '../kinds.ts'
import { evenlySpaced } from './frame-indices.ts'

/** Really decodes the frames, so that what it reports can be trained on. */
export default operator({
  summary: 'Describes each clip: its frames, rate, size and damage, and the mean colour of some frames.',
  config: {
    count: {
      type: 'integer',
      minimum: 1,
      default: 3,
      description: 'Frames to decode, evenly spaced, first to last.',
    },
  },
  inputs: { clips: 'clip' },
  outputs: { rows: 'any' },
  drops: false,
  run: ({ clips }, { count }, context) => {
    const describe = async (clip: Clip) => {
      const { path, frameCount, framesPerSecond, durationSeconds, width, height } = clip
      const frames = []
      const indices = evenlySpaced(frameCount, count)
      for await (const pixels of clip.frames(indices, context.signal))
        frames.push({ index: indices[frames.length], meanRgb: meanColour(pixels) })
      // decoding may have found more than opening did
      const { damage } = clip
      if (damage !== undefined) context.log(`${path}: damaged: ${damage}`, 'warn')
      return {
        path,
        frameCount,
        framesPerSecond,
        durationSeconds,
        width,
        height,
        ...(damage !== undefined && { damage }),
        frames,
      }
    }
    return { rows: clips.pipe(context.each(describe)) }
  },
})

/** Mean red, green and blue of a packed frame, to a thousandth of a level. */
function meanColour(pixels: Uint8Array): number[] {
  const sumOf = (channel: number): number => {
    let sum = 0
    for (let i = channel; i < pixels.length; i += 3) sum += at(pixels, i)
    return sum
  }
  return [0, 1, 2].map(sumOf).map(sum => Math.round((sum / (pixels.length / 3)) * 1000) / 1000)
}
