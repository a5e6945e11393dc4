import type { DeriveOptions } from '../../engine/operator.ts'
import { bytesOf, type Tensor } from '../../kernels/device/tensor.ts'
import { encodeFrames } from '../../kernels/networks/video-model.ts'
import type { Frames } from '../kinds.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'

interface FrameFeatures {
  features: Tensor
  /** For the item that holds the features. */
  options: DeriveOptions
}

/** The frozen tower's features of frames: those that were kept on disk, or computed ones, which are kept where that is wanted. */
export async function featuresOfFrames(
  model: LoadedModel,
  name: string,
  { pixels, kept, keep }: Pick<Frames, 'pixels' | 'kept' | 'keep'>,
): Promise<FrameFeatures> {
  if (kept?.model === name)
    return { features: kept.features, options: { bytes: bytesOf(kept.features), keep: true } }
  if (!pixels)
    throw new Error(
      `the frames have features of the model ${kept?.model} in place of pixels: give video.sample the model ${name}, or no cache`,
    )
  const features = await encodeFrames(model, pixels)
  const dispose = () => model.device.freeTensor(features)
  try {
    await keep?.(bytesOf(features), () => model.device.read(features))
  } catch (error) {
    dispose()
    throw error
  }
  return { features, options: { bytes: bytesOf(features), dispose, keep: false } }
}
