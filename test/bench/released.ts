import { readFile } from 'node:fs/promises'
import type { Device } from '../../kernels/device/device.ts'
import { attachAdapters } from '../../kernels/networks/adapters.ts'
import { allocateParameters, type ParameterSet } from '../../kernels/networks/parameters.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import { resolvePath } from '../../operators/builtin.ts'
import { targetsAmong } from '../../operators/model/checkpoint/adapter.ts'
import { parseModelConfig } from '../../operators/model/checkpoint/config.ts'
import { type FrozenOptions, integersOf } from '../../operators/model/checkpoint/frozen-weights.ts'
import { shapeOf } from '../../operators/model/checkpoint/load-model.ts'
import { expectedTensors } from '../../operators/model/checkpoint/tensor-names.ts'
import { noise } from '../kernels/support.ts'
import { fillRandom } from './random-weights.ts'

/** Which part of a model is trained: nothing, connector and language model, or adapters of rank 16 on all their layers. */
export type Trained = 'none' | 'full' | 'lora'

/** The released sizes. */
export const releasedConfig = 'builtin:configurations/released.json'

/** Made-up ids below the released vocabulary's. */
export const tokens = (count: number, seed: number): number[] =>
  Array.from(noise(count, seed), value => Math.floor((value / 2 + 0.5) * 150000))

/** A model of the sizes of a `config.json` with random weights, in float16 where the device has matrix units, or as integers. */
export async function randomModel(
  device: Device,
  trained: Trained,
  path = releasedConfig,
  frozen: FrozenOptions = { weights: 'stored', groupSize: 128 },
): Promise<VideoModel> {
  const started = performance.now()
  const ids = { eosId: 0, idOf: () => undefined }
  const config = parseModelConfig(path, JSON.parse(await readFile(resolvePath(path), 'utf8')), ids)
  const precision = device.units === 'none' ? 'float32' : 'float16'
  const isTrained = (name: string) => trained === 'full' && !name.startsWith('vision_tower.')
  const shapes = expectedTensors(config)
  const base = allocateParameters(device, shapes, isTrained, precision, integersOf(frozen))
  const weights = trained === 'lora' ? adapted(device, base, shapes) : base
  await fillRandom(device, weights)
  const seconds = (performance.now() - started) / 1000
  console.error(`set-up of a model, trained: ${trained}, ${seconds.toFixed(1)} s`)
  return { device, shape: shapeOf(config), weights, precision, maxLength: config.maxLength }
}

function adapted(device: Device, base: ParameterSet, shapes: ReadonlyMap<string, readonly number[]>) {
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape }]))
  const layers = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
  return attachAdapters(device, base, {
    targets: targetsAmong({ tensors }, layers),
    rank: 16,
    scale: 2,
    trained: true,
  })
}
