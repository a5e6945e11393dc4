import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { bytesOf, sizeOf } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'
import type { Frames } from '../kinds.ts'
import { framesPort } from '../ports.ts'
import { evenlySpaced } from './frame-indices.ts'

/** So a clip is decoded once for several numbers of frames. */
export default operator({
  summary: 'Keeps some of the frames that video.sample has decoded, evenly spaced, first to last.',
  config: {
    count: {
      type: 'integer',
      minimum: 1,
      description: 'Frames to keep; a clip that has fewer keeps them all.',
    },
  },
  inputs: { frames: framesPort },
  outputs: { frames: { kind: 'frames', dtype: 'f32', shape: ['K', 3, 'S', 'S'] } },
  dims: ({ count }) => ({ K: count }),
  drops: false,
  run: ({ frames }, { count }, context) => ({
    frames: frames.pipe(
      context.each(async ({ sample, indices, seconds, durationSeconds, pixels }: Frames) => {
        const device = await sharedDevice(context)
        const chosen = evenlySpaced(indices.length, Math.min(count, indices.length))
        const extents = pixels.shape.slice(1)
        const kept = device.tensor(`${pixels.label}, thinned`, [chosen.length, ...extents])
        const size = sizeOf(extents)
        device.copyAll(
          chosen.map((frame, i) => ({
            source: pixels,
            into: kept,
            start: frame * size,
            at: i * size,
            count: size,
          })),
        )
        const few: Frames = {
          sample,
          indices: chosen.map(i => at(indices, i)),
          seconds: chosen.map(i => at(seconds, i)),
          durationSeconds,
          pixels: kept,
        }
        return context.emit(few, {
          bytes: bytesOf(kept),
          dispose: () => device.freeTensor(kept),
          keep: false,
        })
      }),
    ),
  }),
})
