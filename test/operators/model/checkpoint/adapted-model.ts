import { join } from 'node:path'
import type t from 'tap'
import type { Device } from '../../../../kernels/device/device.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { newAdapter } from '../../../../operators/model/checkpoint/adapter.ts'
import { type Checkpoint, openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { type LoadedModel, loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import modelRandom, { writeRandomCheckpoint } from '../../../../operators/model/random.ts'
import { fixture } from '../../../fixtures.ts'
import { noise } from '../../../kernels/support.ts'

const defaults = Object.fromEntries(
  Object.entries(modelRandom.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as Parameters<typeof writeRandomCheckpoint>[1] // every field but the folder has a default
const sizes = {
  hidden: 40,
  intermediate: 50,
  layers: 2,
  visionHidden: 16,
  visionHeads: 2,
  queries: 5,
  group: 2,
}

/** Names of all linear layers of the language model. */
export const languageLayers = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']

/** A new adapter of all these layers. */
export const everywhere = { rank: 3, alpha: 6, targets: languageLayers, seed: 5 }

/** A random checkpoint to adapt, in a folder of the test, with other sizes where they are given. */
export async function baseCheckpoint(
  test: typeof t,
  others: Partial<typeof sizes> = {},
): Promise<{ folder: string; checkpoint: Checkpoint }> {
  const folder = test.testdir()
  const base = join(folder, 'base')
  const tokenizer = fixture('prompts')
  await writeRandomCheckpoint(base, {
    ...defaults,
    ...sizes,
    ...others,
    folder: base,
    tokenizer,
    dtype: 'float32',
  })
  return { folder, checkpoint: await openCheckpoint(base) }
}

/** The base with a trained adapter whose second matrices are not zero, so that it changes the model's output. */
export async function adaptedModel(device: Device, checkpoint: Checkpoint, lora = everywhere) {
  const source = newAdapter(checkpoint, lora)
  const model = await loadModel(device, checkpoint, [], 'float32', { source, trained: true })
  for (const [i, { up }] of adaptersOf(model).entries())
    device.write(up.value, noise(sizeOf(up.shape), i + 1, 0.4))
  return model
}

export const adaptersOf = ({ weights }: LoadedModel) =>
  [...weights.byName.values()].flatMap(({ adapter }) => (adapter ? [adapter] : []))

export function same(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}
