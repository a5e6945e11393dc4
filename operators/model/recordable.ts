import { messageOf } from '../../engine/shared/errors.ts'
import { type DevicelessModel, passBytes, visionBytes } from '../../kernels/networks/memory-estimate.ts'
import { trainsVision } from '../../kernels/networks/tower-features.ts'
import type { Checkpoint } from './checkpoint/checkpoint.ts'
import type { OwnPart } from './checkpoint/own-parts.ts'
import { CheckpointError } from './files/checkpoint-error.ts'

/** Records the passes of a model whose parts plugins have, without a device: their faults show before a run. */
export function refuseUnrecordable(model: DevicelessModel, { folder, config }: Checkpoint): void {
  const { ownParts = [] } = config
  const towers = ownParts.filter(({ table }) => table === 'towers')
  const frames = model.shape.vision.grid?.step ?? 1
  attempt(folder, towers.length > 0 ? towers : ownParts, () => visionBytes(model, frames))
  const extent = { sequences: 1, textTokens: 4, frames, completions: 1, length: 2 }
  const trains = [...model.weights.byName.values()].some(({ gradient }) => gradient)
  const others = trainsVision(model.weights) ? ownParts : ownParts.filter(part => !towers.includes(part))
  if (others.length > 0) attempt(folder, others, () => passBytes(model, extent, trains))
}

function attempt(folder: string, parts: readonly OwnPart[], record: () => unknown): void {
  try {
    record()
  } catch (cause) {
    const named = parts.map(({ table, name, plugin }) => `"${name}" of ${table} in ${plugin}`).join(', ')
    const message = `${folder}: a pass cannot be recorded with ${named}: ${messageOf(cause)}`
    throw new CheckpointError({ code: 'unsupported-model', message })
  }
}
