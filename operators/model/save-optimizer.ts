import { join } from 'node:path'
import type { Parameter } from '../../kernels/layers/pass.ts'
import type { Optimizer } from '../../kernels/networks/optimizer.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import type { Tensor } from '../../kernels/tensor.ts'
import { openSafetensors, readTensor } from './safetensors.ts'
import { writeSafetensors } from './safetensors-write.ts'
import { readNumber, writeNumber } from './state-file.ts'
import { readPieces, writeTensor } from './tensor-pieces.ts'

/** Writes the moments of every trained weight, as `first/NAME` and `second/NAME`, and the number of steps. */
export async function saveOptimizer(
  { device, weights }: VideoModel,
  optimizer: Optimizer,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const tensors = momentsOf(weights.byName.values(), optimizer).map(({ name, tensor }) => {
    return { name, shape: tensor.shape, dtype: 'F32' as const, chunks: readPieces(device, tensor, signal) }
  })
  await writeSafetensors(join(folder, momentsName), tensors)
  await writeNumber(join(folder, stateName), 'steps', optimizer.steps)
}

export async function restoreOptimizer(
  { device, weights }: VideoModel,
  optimizer: Optimizer,
  folder: string,
): Promise<void> {
  const file = await openSafetensors(join(folder, momentsName))
  for (const { name, tensor } of momentsOf(weights.byName.values(), optimizer))
    await writeTensor(device, tensor, readTensor(file, name))
  await device.finish()
  optimizer.steps = await readNumber(join(folder, stateName), 'steps')
}

const momentsName = 'moments.safetensors'
const stateName = 'state.json'

function momentsOf(
  parameters: Iterable<Parameter>,
  optimizer: Optimizer,
): { name: string; tensor: Tensor }[] {
  return [...parameters].flatMap(parameter => {
    if (!parameter.gradient) return []
    const { first, second } = optimizer.moments(parameter)
    return [
      { name: `first/${parameter.name}`, tensor: first },
      { name: `second/${parameter.name}`, tensor: second },
    ]
  })
}
