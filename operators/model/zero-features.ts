import type { Device } from '../../kernels/device/device.ts'
import { sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { featuresOf } from '../../kernels/networks/shape.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'

/** Vision features that are all zero: the control that hides the video, but not that there is one. */
export const zeroFeatures = (device: Device, shape: readonly number[]): Required<Tensor> =>
  device.tensor('zero features', shape, 'f32', new Float32Array(sizeOf(shape)))

/** Shape of the features that the vision tower computes for a number of frames. */
export const featureShape = ({ shape: { vision } }: VideoModel, frames: number): [number, number] => [
  featuresOf(vision, frames),
  vision.hidden,
]
