import { DeviceError } from './device-error.ts'
import type { Tensor } from './tensor.ts'

/** The part of a buffer that holds a tensor; an error if the tensor belongs to a recording and has no memory yet. */
export function storageOf(tensor: Tensor) {
  if (!tensor.storage)
    throw new DeviceError(
      'not-placed',
      `${tensor.label}: has no memory of its own; read it through its compiled recording`,
    )
  return tensor.storage
}
