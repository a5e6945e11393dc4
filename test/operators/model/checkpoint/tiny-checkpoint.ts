import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import type { ModelConfig } from '../../../../operators/model/checkpoint/model-config.ts'
import { expectedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import { writeSafetensors } from '../../../../operators/model/files/safetensors-write.ts'
import { fixture } from '../../../fixtures.ts'

/** As Hugging Face writes it for a small model; the keys that may be left out are left out. */
export const tinyConfig = {
  architectures: ['TinyLlavaForConditionalGeneration'],
  model_type: 'tinyllava',
  connector_type: 'groupresampler',
  llm_model_name_or_path: 'Qwen/Qwen2.5-3B',
  vision_model_name_or_path: 'google/siglip-so400m-patch14-384',
  group: 3,
  num_queries: 7,
  num_resampler_layers: 1,
  vision_feature_layer: -2,
  vision_feature_select_strategy: 'patch',
  tokenizer_model_max_length: 64,
  pad_token: '<|endoftext|>',
  text_config: {
    model_type: 'qwen2',
    hidden_size: 6,
    intermediate_size: 10,
    num_hidden_layers: 1,
    num_attention_heads: 3,
    num_key_value_heads: 1,
    vocab_size: 401,
    tie_word_embeddings: true,
  },
  vision_config: {
    hidden_size: 6,
    intermediate_size: 5,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    image_size: 9,
    patch_size: 4,
  },
}

export const tinyProcessor = {
  size: { height: 9, width: 9 },
  resample: 3,
  image_processor_type: 'SiglipImageProcessor',
}

export const tokens = { eosId: 397, idOf: (token: string) => (token === '<|endoftext|>' ? 397 : undefined) }

export const parse = (value: unknown): ModelConfig => parseModelConfig('config.json', value, tokens)

export interface TinyOptions {
  config?: Record<string, unknown>
  processor?: unknown
  /** Changes the list of tensors before it is written. */
  tensors?: (shapes: Map<string, readonly number[]>) => void
  dtype?: 'F32' | 'BF16'
  /** File for each tensor name; with it an index is written. */
  shard?: (name: string) => string
}

/** Writes a checkpoint into a new folder; every value of a tensor is its place in the tensor. */
export async function writeTiny(t: Teardown, options: TinyOptions = {}): Promise<string> {
  const folder = await temporaryFolder(t)
  const config = { ...tinyConfig, ...options.config }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(
    join(folder, 'preprocessor_config.json'),
    JSON.stringify(options.processor ?? tinyProcessor),
  )
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    await copyFile(fixture(`prompts/${name}`), join(folder, name))
  const shapes = new Map(expectedTensors(parse(tinyConfig)))
  options.tensors?.(shapes)
  const shard = options.shard ?? (() => 'model.safetensors')
  for (const file of new Set([...shapes.keys()].map(shard))) {
    const entries = [...shapes].filter(([name]) => shard(name) === file)
    const tensors = entries.map(([name, shape]) => {
      const size = shape.reduce((product, extent) => product * extent, 1)
      return {
        name,
        shape,
        dtype: options.dtype ?? ('F32' as const),
        chunks: [Float32Array.from({ length: size }, (_, i) => i)],
      }
    })
    await writeSafetensors(join(folder, file), tensors)
  }
  if (options.shard) {
    const weightMap = Object.fromEntries([...shapes.keys()].map(name => [name, shard(name)]))
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }))
  }
  return folder
}

export interface Teardown {
  teardown(work: () => Promise<void>): unknown
}

export async function temporaryFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flow-checkpoint-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** What a promise was rejected with; the folder is left out of the messages. */
export async function problemsOf(
  work: Promise<unknown>,
  folder: string,
): Promise<{ code: string; message: string }[]> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof Error) || !('problems' in error) || !Array.isArray(error.problems)) throw error
    return error.problems.map(({ code, message }) => ({
      code,
      message: String(message).replaceAll(`${folder}/`, '').replaceAll(folder, 'FOLDER'),
    }))
  }
  return []
}
