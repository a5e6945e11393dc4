import { join } from '../../../engine/platform/paths.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import type { ParameterSet } from '../../../kernels/networks/parameters.ts'
import type { Optimizer } from '../../../kernels/networks/training/optimizer.ts'
import type { VideoModel } from '../../../kernels/networks/video-model.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import { openSafetensors } from '../files/safetensors.ts'
import { writeSafetensors } from '../files/safetensors-write.ts'
import { readNumber, writeNumber } from '../files/state-file.ts'
import { readPieces } from '../files/tensor-pieces.ts'
import { uploadTensors } from '../files/upload.ts'

/**
 * Writes the moments of every trained weight as `first/NAME` and `second/NAME`, the state of the loss scale if there is
 * one, and the number of steps.
 */
export async function saveOptimizer(
  { device, weights }: VideoModel,
  optimizer: Optimizer,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const tensors = stateOf(weights, optimizer).map(({ name, tensor }) => {
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
  const tensors = stateOf(weights, optimizer).map(({ name, tensor }) => [name, tensor] as const)
  const missing = tensors.find(([name]) => !file.tensors.has(name))
  if (missing)
    throw new CheckpointError({ code: 'missing-tensor', message: `${file.path}: no tensor ${missing[0]}` })
  await uploadTensors(device, file, new Map(tensors))
  optimizer.steps = await readNumber(join(folder, stateName), 'steps')
}

const momentsName = 'moments.safetensors'
const stateName = 'state.json'

function stateOf(
  { byName, lossScale }: ParameterSet,
  optimizer: Optimizer,
): { name: string; tensor: Tensor }[] {
  const moments = [...byName.values()].flatMap(parameter => {
    if (!parameter.gradient) return []
    const { first, second } = optimizer.moments(parameter)
    return [
      { name: `first/${parameter.name}`, tensor: first },
      { name: `second/${parameter.name}`, tensor: second },
    ]
  })
  return lossScale ? [...moments, { name: 'loss-scale', tensor: lossScale.state }] : moments
}
