import type { DeriveOptions } from '../../engine/operator.ts'
import { bytesOf, type Tensor } from '../../kernels/device/tensor.ts'
import { featureShape } from '../../kernels/networks/shape.ts'
import { encodeFrames } from '../../kernels/networks/video-model.ts'
import type { Frames } from '../kinds.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'

interface FrameFeatures {
  features: Tensor
  /** For the item that holds the features. */
  options: DeriveOptions
}

type SeenFrames = Pick<Frames, 'pixels' | 'kept' | 'keep'>

/** The shape of the features of frames. */
export function shapeOfFeatures(
  model: LoadedModel,
  name: string,
  { pixels, kept }: SeenFrames,
): readonly number[] {
  if (kept?.model === name) return kept.features.shape
  return featureShape(model.shape.vision, pixelsOf(pixels, kept).shape)
}

/** The frozen tower's features of frames: those that were kept on disk, or computed ones, which are kept where that is wanted. */
export async function featuresOfFrames(
  model: LoadedModel,
  name: string,
  { pixels, kept, keep }: SeenFrames,
): Promise<FrameFeatures> {
  if (kept?.model === name)
    return { features: kept.features, options: { bytes: bytesOf(kept.features), keep: true } }
  const features = await encodeFrames(model, pixelsOf(pixels, kept))
  const dispose = () => model.device.freeTensor(features)
  try {
    await keep?.(bytesOf(features), () => model.device.read(features))
  } catch (error) {
    dispose()
    throw error
  }
  return { features, options: { bytes: bytesOf(features), dispose, keep: false } }
}

function pixelsOf(pixels: Frames['pixels'], kept: Frames['kept']): Tensor {
  if (pixels) return pixels
  throw new Error(
    `the frames have features of the model ${kept?.model} in place of pixels: give video.sample the model that looks at them, or no cache`,
  )
}
