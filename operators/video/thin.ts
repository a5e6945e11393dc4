import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Device } from '../../kernels/device/device.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
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
      context.each(async ({ sample, indices, seconds, durationSeconds, pixels, kept }: Frames) => {
        const device = await sharedDevice(context)
        const chosen = evenlySpaced(indices.length, Math.min(count, indices.length))
        const few = (tensor: Tensor) => framesOf(device, tensor, indices.length, chosen)
        const seen = pixels ? few(pixels) : undefined
        if (kept && kept.features.shape.length > 2)
          throw new Error(
            'features of pairs of frames cannot be thinned: give video.sample no cache, so that there are pixels',
          )
        const features = kept && few(kept.features)
        const tensors = [seen, features].flatMap(tensor => tensor ?? [])
        const value: Frames = {
          sample,
          indices: chosen.map(i => at(indices, i)),
          seconds: chosen.map(i => at(seconds, i)),
          durationSeconds,
          ...(seen && { pixels: seen }),
          ...(features && { kept: { ...kept, features } }),
        }
        const dispose = () => {
          for (const tensor of tensors) device.freeTensor(tensor)
        }
        const bytes = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0)
        return context.emit(value, { bytes, dispose, keep: false })
      }),
    ),
  }),
})

/** A copy of some frames of a tensor that has `frames` of them, one after another. */
function framesOf(device: Device, tensor: Tensor, frames: number, chosen: readonly number[]): Tensor {
  const [rows = 0, ...extents] = tensor.shape
  const few = device.tensor(`${tensor.label}, thinned`, [(rows / frames) * chosen.length, ...extents])
  const count = sizeOf(tensor.shape) / frames
  device.copyAll(
    chosen.map((frame, i) => ({ source: tensor, into: few, start: frame * count, at: i * count, count })),
  )
  return few
}
