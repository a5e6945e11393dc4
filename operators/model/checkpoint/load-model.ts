import type { Device } from '../../../kernels/device/device.ts'
import { DeviceError } from '../../../kernels/device/device-error.ts'
import { adapterNames, attachAdapters } from '../../../kernels/networks/adapters.ts'
import {
  allocateParameters,
  type IntegersOf,
  type ParameterSet,
  parameter,
} from '../../../kernels/networks/parameters.ts'
import type { ModelShape } from '../../../kernels/networks/shape.ts'
import type { VideoModel } from '../../../kernels/networks/video-model.ts'
import type { Precision } from '../../../kernels/plan/recording.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import { writeTensor } from '../files/tensor-pieces.ts'
import { type Place, uploadTensors } from '../files/upload.ts'
import { type AdapterSettings, type AdapterSource, scaleOf } from './adapter.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { ModelConfig } from './model-config.ts'
import { partName } from './packed-tensors.ts'
import { partsOf } from './packing.ts'
import type { Processor } from './processor.ts'
import type { Tokenizer } from './tokenizer.ts'

/** The parts of a model that can be trained: the vision tower in whole, or its blocks from one on. */
export type TrainedPart = 'connector' | 'language' | 'vision' | `vision from ${number}`

/** A model on the GPU with the config, tokenizer and processor of its checkpoint folder. */
export interface LoadedModel extends VideoModel {
  /** The checkpoint that it was read from. */
  readonly folder: string
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly processor: Processor
  readonly adapter?: AdapterSettings
  /** Number of stored weights beyond float16's range, which were set to its largest number; 0 in float32. */
  readonly saturated: number
  /** Updates done to the weights. */
  version: number
}

/** An adapter to load, and whether an optimizer may change it. */
export interface LoadedAdapter {
  source: AdapterSource
  trained: boolean
}

/**
 * Streams the weights of a checked checkpoint, and of an adapter, to the GPU, with a few pieces of a file in memory at a
 * time. A weight is either trained or adapted. Frozen matrices are rounded to the integers that `integersOf` wants.
 */
export async function loadModel(
  device: Device,
  checkpoint: Checkpoint,
  trained: readonly TrainedPart[],
  precision: Precision = 'float32',
  adapter?: LoadedAdapter,
  integersOf?: IntegersOf,
): Promise<LoadedModel> {
  if (precision === 'float16' && !device.gpu.features.has('shader-f16'))
    throw new DeviceError(
      'no-float16',
      `precision: must be float32 on ${device.info.device}, which has no float16`,
    )

  const { config, tokenizer, processor, tensors, folder } = checkpoint
  const isTrained = isTrainedBy(trained)
  const both = adapter?.source.targets.find(isTrained)
  if (both) throw trainedAndAdapted(folder, both)
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]))
  const packed = [...tensors].find(([name, { packing }]) => packing && isTrained(name))
  if (packed) throw trainedIntegers(folder, packed[0])
  const base = allocateParameters(
    device,
    shapes,
    isTrained,
    precision,
    (name, shape) => tensors.get(name)?.packing ?? integersOf?.(name, shape),
  )
  const weights = adapter ? adapted(device, base, adapter) : base
  let saturated = 0
  try {
    const places = allPlaces(checkpoint, weights)
    for (const file of checkpoint.files) saturated += await uploadTensors(device, file, places)
    if (adapter) await writeMatrices(device, weights, adapter.source)
    await device.finish()
  } catch (error) {
    weights.free()
    throw error
  }
  const { maxLength } = config
  return {
    device,
    shape: shapeOf(config),
    weights,
    precision,
    maxLength,
    config,
    tokenizer,
    processor,
    folder,
    ...(adapter && { adapter: settingsOf(adapter.source) }),
    saturated,
    version: 0,
  }
}

export function trainedAndAdapted(folder: string, name: string): CheckpointError {
  const message = `${folder}: ${name} is trained itself, so it must not have an adapter; train the other parts only`
  return new CheckpointError({ code: 'bad-config', message })
}

export function trainedIntegers(folder: string, name: string): CheckpointError {
  const message = `${folder}: ${name} is stored as integers, which are not trained; train an adapter of it (lora), or other parts`
  return new CheckpointError({ code: 'bad-config', message })
}

/** Where every tensor of the checkpoint goes, by its name in the files. */
function allPlaces({ config, tensors }: Checkpoint, weights: ParameterSet): Map<string, Place> {
  const floats = [...tensors].flatMap(([name, { packing }]) => (packing ? [] : [name]))
  const places = placesOf(config, weights, floats)
  for (const [name, { shape, packing }] of tensors) {
    const { integers } = parameter(weights, name)
    if (!packing || !integers) continue
    for (const stored of partsOf(shape, packing)) {
      const { part } = stored
      if (part === 'order') continue
      const place = { shape: stored.shape, part, packing, to: integers }
      places.set(config.names.stored(partName(name, stored)), place)
    }
  }
  return places
}

/** Where each of these weights lies on the GPU, by the name that the checkpoint's files give it. */
export const placesOf = (
  { names: { stored } }: ModelConfig,
  weights: ParameterSet,
  own: Iterable<string>,
): Map<string, Place> =>
  new Map(
    Array.from(own, name => {
      const { value, integers } = parameter(weights, name)
      return [stored(name), integers ?? value]
    }),
  )

function adapted(device: Device, base: ParameterSet, { source, trained }: LoadedAdapter): ParameterSet {
  const { targets, rank } = source
  try {
    return attachAdapters(device, base, { targets, rank, scale: scaleOf(source), trained })
  } catch (error) {
    base.free()
    throw error
  }
}

async function writeMatrices(device: Device, weights: ParameterSet, source: AdapterSource): Promise<void> {
  for (const name of source.targets.flatMap(target => Object.values(adapterNames(target))))
    await writeTensor(device, parameter(weights, name).value, source.read(name))
}

const settingsOf = ({ rank, alpha, rankStabilised }: AdapterSource): AdapterSettings => {
  return { rank, alpha, rankStabilised }
}

/** Whether a weight belongs to one of the parts. */
export function isTrainedBy(parts: readonly TrainedPart[]): (name: string) => boolean {
  return name => {
    const block = Number(towerBlock.exec(name)?.[1] ?? -1)
    return parts.some(part => {
      if (part === 'connector' || part === 'language' || part === 'vision')
        return name.startsWith(partPrefixes[part])
      return block >= Number(part.slice(visionFrom.length))
    })
  }
}

const partPrefixes = {
  connector: 'connector.',
  language: 'language_model.',
  vision: 'vision_tower.',
} as const
const visionFrom = 'vision from '
const towerBlock = /^vision_tower\..*\.encoder\.layers\.(\d+)\./

/** The networks of a configuration. */
export function shapeOf({ vision, connector, language }: ModelConfig): ModelShape {
  return { vision: vision.network, connector: connector.network, language: language.network }
}
