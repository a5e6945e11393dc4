import { type Device, DeviceError } from '../../kernels/device.ts'
import { allocateParameters, parameter } from '../../kernels/networks/parameters.ts'
import type { ModelShape } from '../../kernels/networks/shape.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'
import type { Precision } from '../../kernels/plan.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { ModelConfig } from './config.ts'
import type { Processor } from './processor.ts'
import { writeTensor } from './tensor-pieces.ts'
import type { Tokenizer } from './tokenizer.ts'

/** The parts of a model that can be trained; the vision tower stays frozen. */
export type TrainedPart = 'connector' | 'language'

/** A model on the GPU with what belongs to it in the checkpoint's folder. */
export interface LoadedModel extends VideoModel {
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly processor: Processor
  /** Updates done to the weights. */
  version: number
}

/** Streams the weights of a checked checkpoint to the GPU; at most one piece of a tensor is in memory at a time. */
export async function loadModel(
  device: Device,
  checkpoint: Checkpoint,
  trained: readonly TrainedPart[],
  precision: Precision = 'float32',
): Promise<LoadedModel> {
  if (precision === 'float16' && !device.gpu.features.has('shader-f16'))
    throw new DeviceError(
      'no-float16',
      `precision: must be float32 on ${device.info.device}, which has no float16`,
    )

  const { config, tokenizer, processor, tensors } = checkpoint
  const prefixes = trained.map(part => partPrefixes[part])
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]))
  const weights = allocateParameters(
    device,
    shapes,
    name => prefixes.some(prefix => name.startsWith(prefix)),
    precision,
  )
  try {
    for (const name of tensors.keys()) {
      await writeTensor(device, parameter(weights, name).value, checkpoint.read(name))
    }
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
    version: 0,
  }
}

const partPrefixes = { connector: 'connector.', language: 'language_model.' }

const activations = { gelu_pytorch_tanh: 'gelu-tanh', gelu: 'gelu-erf' } as const

/** The sizes that kernels need of a configuration. */
export function shapeOf({ vision, connector, language, featureLayer, select }: ModelConfig): ModelShape {
  return {
    vision: { ...vision, blocks: featureLayer, activation: activations[vision.activation], select },
    connector: { ...connector, groups: connector.group },
    language,
  }
}
