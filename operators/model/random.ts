import { type Config, operator } from '../../engine/operator.ts'
import { copyFile, writeFile } from '../../engine/platform/files.ts'
import { join } from '../../engine/platform/paths.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { sizeOf } from '../../kernels/device/tensor.ts'
import { resolvePath } from '../builtin.ts'
import { randomOf } from '../random.ts'
import { parseModelConfig } from './checkpoint/config.ts'
import { newConfigJson } from './checkpoint/config-json.ts'
import { initial } from './checkpoint/initial-weights.ts'
import { processorJson } from './checkpoint/processor.ts'
import { expectedTensors } from './checkpoint/tensor-names.ts'
import { openTokenizer, type Tokenizer } from './checkpoint/tokenizer.ts'
import { type TensorToWrite, writeSafetensors } from './files/safetensors-write.ts'
import type { Shape } from './parts/part.ts'

const size = (value: number, description: string) =>
  ({ type: 'integer', minimum: 1, default: value, description }) as const

const fields = {
  folder: { type: 'string', writes: true, description: 'Folder to write; it is created if it is missing.' },
  tokenizer: {
    type: 'string',
    default: 'builtin:tokenizer',
    description: 'Folder with tokenizer.json and tokenizer_config.json.',
  },
  seed: { type: 'integer', minimum: 0, default: 1, description: 'The same seed gives the same weights.' },
  dtype: {
    type: 'string',
    enum: ['bfloat16', 'float32'],
    default: 'bfloat16',
    description: 'How the weights are stored.',
  },
  imageSize: size(56, 'Side of the square frames, pixels.'),
  patchSize: size(14, 'Side of a patch, pixels.'),
  visionHidden: size(64, 'Width of the vision tower.'),
  visionIntermediate: size(128, "Width of the vision tower's feed-forward parts."),
  visionLayers: size(
    3,
    'Stored blocks of the vision tower; the last one is unused, as in the released model.',
  ),
  visionHeads: size(4, 'Heads of the vision tower; they divide its width.'),
  positionScale: {
    type: 'number',
    minimum: 0,
    default: 1,
    description:
      "Factor of the vision tower's position embeddings; the features of a random tower depend on positions only if it is above 1.",
  },
  group: size(4, 'Groups of frames that the connector divides a clip into.'),
  queries: size(16, 'Visual tokens of a clip.'),
  connectorLayers: size(1, 'Layers of the connector.'),
  hidden: size(96, 'Width of the language model.'),
  intermediate: size(256, "Width of the language model's feed-forward parts."),
  layers: size(3, 'Blocks of the language model.'),
  heads: size(4, 'Query heads of the language model; they divide its width.'),
  keyValueHeads: size(2, 'Key and value heads; they divide the query heads.'),
  vocabulary: size(448, "Rows of the embedding, at least the tokenizer's."),
  maxLength: size(3072, 'Longest sequence of visual and text tokens.'),
} as const

export default operator({
  summary: 'Writes a random model of the published architecture as a checkpoint folder.',
  config: fields,
  inputs: {},
  outputs: { folders: 'checkpoint-folder' },
  effects: true,
  run: (_inputs, config, context) => ({
    folders: context.source<string>(async function* () {
      const folder = resolvePath(config.folder)
      await writeRandomCheckpoint(folder, config)
      context.log(`wrote ${folder}: a model with random weights`)
      yield { key: folder, value: folder }
    }),
  }),
})

/**
 * Writes the folder in the released layout, with tied embeddings. Matrices are N(0, 1/fan-in), so that signals keep
 * their size through untrained layers; latents N(0, 1); norms 1; biases 0.
 */
export async function writeRandomCheckpoint(folder: string, config: Config<typeof fields>): Promise<void> {
  const source = resolvePath(config.tokenizer)
  const tokenizer = await openTokenizer(source)
  const modelConfig = configJson(config, tokenizer)
  // The released files also store the blocks past the feature layer.
  const all = { ...modelConfig, vision_feature_layer: -1 }
  const names = expectedTensors(parseModelConfig(join(folder, 'config.json'), all, tokenizer))
  const dtype = config.dtype === 'float32' ? 'F32' : 'BF16'
  const tensors = [...names].map(([name, shape]): TensorToWrite => {
    return { name, shape, dtype, chunks: [randomTensor(name, shape, config)] }
  })
  makeFolder(folder)
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    await copyFile(join(source, name), join(folder, name))
  await writeJson(folder, 'config.json', modelConfig)
  await writeJson(
    folder,
    'preprocessor_config.json',
    processorJson({ imageSize: config.imageSize, kind: 'siglip' }),
  )
  const { eosId } = tokenizer
  await writeJson(folder, 'generation_config.json', { bos_token_id: eosId, eos_token_id: eosId })
  await writeSafetensors(join(folder, 'model.safetensors'), tensors)
}

function randomTensor(
  name: string,
  shape: Shape,
  { seed, positionScale }: Config<typeof fields>,
): Float32Array {
  const values = new Float32Array(sizeOf(shape))
  const { mean, deviation } = initial(name, shape)
  if (deviation === 0) return values.fill(mean)
  const random = randomOf(seed, name)
  const scaled = name.includes('.position_embedding.') ? positionScale * deviation : deviation
  return values.map(() => scaled * random.normal())
}

function configJson(config: Config<typeof fields>, { eosId }: Tokenizer) {
  const text = {
    model_type: 'qwen2',
    hidden_size: config.hidden,
    intermediate_size: config.intermediate,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    vocab_size: config.vocabulary,
    rope_theta: 1_000_000,
    rms_norm_eps: 1e-6,
    max_position_embeddings: config.maxLength,
    tie_word_embeddings: true,
    hidden_act: 'silu',
    bos_token_id: eosId,
    eos_token_id: eosId,
  }
  const vision = {
    model_type: 'siglip_vision_model',
    hidden_size: config.visionHidden,
    intermediate_size: config.visionIntermediate,
    num_hidden_layers: config.visionLayers,
    num_attention_heads: config.visionHeads,
    image_size: config.imageSize,
    patch_size: config.patchSize,
    layer_norm_eps: 1e-6,
    hidden_act: 'gelu_pytorch_tanh',
    num_channels: 3,
  }
  const [languageName, visionName] = ['Qwen/Qwen2.5-3B', 'google/siglip-so400m-patch14-384']
  return newConfigJson({ languageName, visionName, text, vision, eosId }, config)
}

const writeJson = (folder: string, name: string, value: unknown) =>
  writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)
