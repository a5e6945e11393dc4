import type { Device } from '../../kernels/device/device.ts'
import { sizeOf, type Tensor } from '../../kernels/device/tensor.ts'

/** Vision features that are all zero: the control that hides the video, but not that there is one. */
export const zeroFeatures = (device: Device, shape: readonly number[]): Required<Tensor> =>
  device.tensor('zero features', shape, 'f32', new Float32Array(sizeOf(shape)))
