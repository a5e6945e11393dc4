import type { Device } from '../../kernels/device/device.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Clip } from '../kinds.ts'
import type { Processor } from '../model/checkpoint/processor.ts'
import { frameResizer, padToSquare } from './frame-resizer.ts'

/** Decodes, resizes and normalises frames, in increasing order, to a tensor (frames, 3, size, size). */
export async function framePixels(
  device: Device,
  clip: Clip,
  indices: readonly number[],
  { processor, aspect }: { processor: Processor; aspect: 'square' | 'pad' },
  signal?: AbortSignal,
): Promise<Tensor> {
  const { size, mean } = processor
  const pad = aspect === 'pad' && clip.width !== clip.height
  const side = Math.max(clip.width, clip.height)
  const background = mean.map(value => Math.trunc(value * 255))
  const pixels = device.tensor(`frames of ${clip.path}`, [indices.length, 3, size, size])
  try {
    const resizer = await frameResizer(device, pad ? { width: side, height: side } : clip, processor)
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
