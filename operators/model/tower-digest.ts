import { createHash } from 'node:crypto'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { recordVision } from '../../kernels/networks/video-model.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'

/**
 * The digest of what a vision tower computes: of its kernels, in order, with their settings and constants. So it changes with the code of flow and
 * of the plugin that the tower is from, and not with the weights.
 */
export function towerDigest(model: Pick<LoadedModel, 'device' | 'shape' | 'weights' | 'precision'>): string {
  const { vision } = model.shape
  const recording = new Recording(model.device, model.precision)
  const { imageSize, channels, grid } = vision
  recordVision(recording, model, [grid?.step ?? 1, channels, imageSize, imageSize])
  const hash = createHash('sha256')
  for (const { commands } of recording.segments)
    for (const command of commands)
      if ('fill' in command) hash.update(textOf(command.fill))
      else {
        const { kernel, params, tensors, grid } = command.dispatch
        hash.update(JSON.stringify([kernel.code, params, grid, tensors.map(textOf)]))
      }
  for (const [tensor, { buffer, byteOffset, byteLength }] of recording.constants)
    hash.update(textOf(tensor)).update(new Uint8Array(buffer, byteOffset, byteLength))
  return hash.digest('hex')
}

const textOf = ({ label, shape, type }: Tensor): string => JSON.stringify([label, shape, type])
