// Features of prompts from other processes: they lie in a file until someone works with them, for many only go on to a process that
// reads the file itself.
import type { Device } from '../../kernels/device/device.ts'
import type { Storage, Tensor } from '../../kernels/device/tensor.ts'
import type { Prompt } from '../kinds.ts'

/** How to read the features that have no memory before that. */
const reading = new WeakMap<Tensor, () => Promise<void>>()

/** A tensor without memory until `loadFeatures` reads it. `dispose` frees what was read; what is still being read is freed then. */
export function laterFeatures(
  device: Device,
  shape: readonly number[],
  read: () => Promise<Required<Tensor>>,
): { tensor: Tensor; dispose: () => void } {
  const tensor: Tensor & { storage?: Storage } = {
    label: 'features before "await loadFeatures(prompt)"',
    shape,
    type: 'f32',
  }
  let loading: Promise<void> | undefined
  let isFreed = false
  const load = async () => {
    refuseFreed()
    const made = await read().catch(error => {
      refuseFreed() // its file went with the item
      throw error
    })
    if (isFreed) device.freeTensor(made)
    refuseFreed()
    tensor.storage = made.storage
  }
  const refuseFreed = () => {
    if (isFreed) throw new Error('features must be loaded before their item is released')
  }
  reading.set(tensor, () => {
    loading ??= load().catch(error => {
      loading = undefined // the next attempt reads anew
      throw error
    })
    return loading
  })
  const dispose = () => {
    isFreed = true
    device.freeTensor(tensor)
  }
  return { tensor, dispose }
}

/** Features that have no memory yet. */
export const isLater = ({ features }: Pick<Prompt, 'features'>): boolean =>
  reading.has(features) && features.storage === undefined

/** Reads the features of a prompt unless they have been read; they are freed with its item. */
export async function loadFeatures({ features }: Pick<Prompt, 'features'>): Promise<void> {
  await reading.get(features)?.()
}
