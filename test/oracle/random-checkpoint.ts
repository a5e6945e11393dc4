import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseModelConfig } from '../../operators/model/checkpoint/config.ts'
import { expectedTensors } from '../../operators/model/checkpoint/tensor-names.ts'
import { openTokenizer } from '../../operators/model/checkpoint/tokenizer.ts'
import { fixture } from '../fixtures.ts'
import type { Case } from './cases.ts'
import { type Random, randomOf } from './random.ts'
import { type NamedTensor, writeTensors } from './write-tensors.ts'

const formats = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const

/** Writes a checkpoint folder as released ones are laid out, with random weights. */
export async function writeRandomCheckpoint(
  folder: string,
  sizes: Case,
  language: 'qwen2' | 'qwen3' = 'qwen2',
): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    await copyFile(fixture(`prompts/${file}`), join(folder, file))
  const { eosId } = await openTokenizer(folder)
  if (eosId === undefined) throw new Error(`${folder}: the tokenizer names no end of text`)
  await writeJson(folder, 'config.json', configOf(sizes, language, eosId))
  await writeJson(folder, 'generation_config.json', { bos_token_id: eosId, eos_token_id: eosId })
  await writeJson(folder, 'preprocessor_config.json', processorOf(sizes))
  const random = randomOf(sizes.seed)
  const tensors = (await tensorsOf(folder)).map(([name, shape]) => randomTensor(name, shape, random))
  await writeWeights(folder, tensors, sizes)
}

/** Makes another token the end of text. */
export async function setEndOfText(folder: string, id: number): Promise<void> {
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
  config.text_config.eos_token_id = id
  await writeJson(folder, 'config.json', config)
}

function configOf({ vision, text, ...sizes }: Case, language: string, eosId: number) {
  return {
    architectures: ['TinyLlavaForConditionalGeneration'],
    model_type: 'tinyllava',
    connector_type: sizes.connector,
    llm_model_name_or_path: language === 'qwen3' ? 'Qwen/Qwen3-1.7B' : 'Qwen/Qwen2.5-3B',
    vision_model_name_or_path: 'google/siglip-so400m-patch14-384',
    group: sizes.group,
    num_queries: sizes.num_queries,
    num_resampler_layers: sizes.depth,
    hidden_size: text.hidden_size,
    vocab_size: text.vocab_size,
    vision_hidden_size: vision.hidden_size,
    vision_feature_layer: sizes.layer,
    vision_feature_select_strategy: sizes.select,
    image_aspect_ratio: 'square',
    image_token_index: -200,
    ignore_index: -100,
    tokenizer_model_max_length: sizes.maxLength,
    tokenizer_padding_side: 'right',
    pad_token: '<|endoftext|>',
    pad_token_id: eosId,
    torch_dtype: sizes.dtype,
    text_config: {
      ...text,
      model_type: language,
      hidden_act: 'silu',
      eos_token_id: eosId,
      bos_token_id: eosId,
    },
    vision_config: { ...vision, model_type: 'siglip_vision_model', num_channels: 3 },
  }
}

function processorOf({ vision: { image_size } }: Case) {
  return {
    do_resize: true,
    size: { height: image_size, width: image_size },
    resample: 3,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    image_processor_type: 'SiglipImageProcessor',
  }
}

/** Names and shapes, with those that released checkpoints store and the model leaves unused. */
async function tensorsOf(folder: string): Promise<[name: string, shape: readonly number[]][]> {
  const path = join(folder, 'config.json')
  const json = JSON.parse(await readFile(path, 'utf8'))
  const config = parseModelConfig(path, { ...json, vision_feature_layer: -1 }, await openTokenizer(folder))
  const { hidden } = config.vision.network
  const tower = 'vision_tower._vision_tower.vision_model.'
  return [
    ...expectedTensors(config),
    [`${tower}post_layernorm.weight`, [hidden]],
    [`${tower}post_layernorm.bias`, [hidden]],
    [`${tower}head.probe`, [1, 1, hidden]],
  ]
}

/** Of a scale that keeps states near 1, so that nothing saturates: by the inputs of a linear layer. */
function randomTensor(name: string, shape: readonly number[], random: Random): NamedTensor {
  const size = shape.reduce((product, extent) => product * extent, 1)
  const isVector = shape.length === 1
  const isGain = isVector && name.endsWith('.weight')
  const isTable = /embed_tokens|position_embedding/.test(name)
  const matrixScale = isTable ? 0.5 : name.endsWith('.latents') ? 1 : Math.sqrt(shape[0] / size)
  const scale = isGain ? 0.1 : isVector ? 0.05 : matrixScale
  const data = Float64Array.from({ length: size }, () => (isGain ? 1 : 0) + scale * random.normal())
  return { name, shape, data }
}

async function writeWeights(folder: string, tensors: readonly NamedTensor[], { dtype, shards }: Case) {
  if (shards === 1) return writeTensors(join(folder, 'model.safetensors'), tensors, formats[dtype])
  const weight_map: Record<string, string> = {}
  const padded = (n: number) => String(n).padStart(5, '0')
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-${padded(shard + 1)}-of-${padded(shards)}.safetensors`
    const part = tensors.filter((_, i) => i % shards === shard)
    for (const { name } of part) weight_map[name] = file
    await writeTensors(join(folder, file), part, formats[dtype])
  }
  await writeJson(folder, 'model.safetensors.index.json', { metadata: {}, weight_map })
}

async function writeJson(folder: string, file: string, value: unknown): Promise<void> {
  await writeFile(join(folder, file), `${JSON.stringify(value, null, 1)}\n`)
}
