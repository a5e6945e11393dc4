import type { Device } from '../../kernels/device/device.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Extent } from '../../kernels/pixels/resize.ts'
import type { Clip } from '../kinds.ts'
import type { Processor } from '../model/checkpoint/processor.ts'
import { frameResizer, padToSquare, pixelsOf } from './frame-resizer.ts'

/** The size of frames before they are resized. */
function shownExtent({ width, height }: Extent, aspect: 'square' | 'pad'): Extent {
  const side = Math.max(width, height)
  return aspect === 'pad' ? { width: side, height: side } : { width, height }
}

/** The shape of the pixels of `frames` frames of a clip: (frames, 3, height, width). */
export function pixelShape(
  clip: Extent,
  frames: number,
  { processor, aspect }: { processor: Processor; aspect: 'square' | 'pad' },
): number[] {
  const { height, width } = pixelsOf(shownExtent(clip, aspect), frames, processor)
  return [frames, 3, height, width]
}

/** Decodes, resizes and normalises frames, in increasing order, to a tensor (frames, 3, height, width). */
export async function framePixels(
  device: Device,
  clip: Clip,
  indices: readonly number[],
  { processor, aspect }: { processor: Processor; aspect: 'square' | 'pad' },
  signal?: AbortSignal,
): Promise<Tensor> {
  const { mean } = processor
  const pad = aspect === 'pad' && clip.width !== clip.height
  const background = mean.map(value => Math.trunc(value * 255))
  const from = shownExtent(clip, aspect)
  const to = pixelsOf(from, indices.length, processor)
  const pixels = device.tensor(`frames of ${clip.path}`, [indices.length, 3, to.height, to.width])
  try {
    const resizer = await frameResizer(device, from, to, processor)
    try {
      let at = 0
      for await (const frame of clip.frames(indices, signal))
        resizer.add(pad ? padToSquare(frame, clip, background) : frame, pixels, at++)
    } finally {
      resizer.free()
    }
    return pixels
  } catch (error) {
    device.freeTensor(pixels)
    throw error
  }
}
