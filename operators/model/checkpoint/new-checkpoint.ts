import { copyFile, readdir, stat, writeFile } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { makeFolder } from '../../../engine/shared/files.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { resolvePath } from '../../builtin.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'
import { readJsonFile } from '../files/json-file.ts'
import type { TensorToWrite } from '../files/safetensors-write.ts'
import { parseModelConfig } from './config.ts'
import { initialBytes } from './initial-weights.ts'
import { writeOwnParts } from './own-parts.ts'
import { processorJson } from './processor.ts'
import { storedTensors } from './tensor-names.ts'
import { openTokenizer } from './tokenizer.ts'
import { usualShardBytes, type WrittenFile, writeShards } from './write-shards.ts'

export const storedTypes = { bfloat16: 'BF16', float16: 'F16', float32: 'F32' } as const

export interface NewCheckpoint {
  /** A `config.json`, checked as one. */
  config: string
  /** Folder with the files of a tokenizer. */
  tokenizer: string
  seed: number
  dtype: keyof typeof storedTypes
  /** Bytes of tensors in one file, unless a single tensor has more; by default 5 GB, as in released checkpoints. */
  shardBytes?: number
}

/**
 * Writes an untrained model as a folder in the released layout, with every tensor that released checkpoints store. The
 * same configuration, seed and type give the same bytes. Yields each file of weights when it is written; a few megabytes
 * are in memory at a time. Throws before it writes if the folder has a checkpoint, or the configuration or tokenizer has
 * a fault.
 */
export async function* writeNewCheckpoint(folder: string, of: NewCheckpoint): AsyncGenerator<WrittenFile> {
  const path = resolvePath(of.config)
  const source = resolvePath(of.tokenizer)
  const tokenizer = await openTokenizer(source)
  const json = await readJsonFile(path)
  const config = parseModelConfig(path, json, tokenizer)
  await refuseOther(folder)
  makeFolder(folder)
  for (const name of await readdir(source))
    if (tokenizerFiles.test(name)) await copyFile(join(source, name), join(folder, name))
  const write = (name: string, value: unknown) =>
    writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)
  const { imageSize, grid } = config.vision.network
  await write('preprocessor_config.json', processorJson({ imageSize, grid, kind: config.processor }))
  await write('generation_config.json', { bos_token_id: config.eosIds[0], eos_token_id: config.eosIds })

  const format = storedTypes[of.dtype]
  const tensors = [...storedTensors(config)].map(([name, shape]): TensorToWrite => {
    const chunks = initialBytes(name, shape, format, of.seed)
    return { name: config.names.stored(name), shape, dtype: format, chunks }
  })
  yield* writeShards(folder, tensors, of.shardBytes ?? usualShardBytes)
  writeOwnParts(folder, config.ownParts)
  // Last, because a folder without it is no checkpoint: after an interruption it can be written again.
  await write('config.json', { ...(isObject(json) && json), torch_dtype: of.dtype })
}

/** Names of the files of a tokenizer in a model's folder. */
export const tokenizerFiles =
  /^((tokenizer(_config)?|special_tokens_map|added_tokens|vocab|chat_template)\.json|merges\.txt|chat_template\.jinja)$/

/** Throws if the folder already has a checkpoint. */
export async function refuseOther(folder: string): Promise<void> {
  const path = join(folder, 'config.json')
  const exists = await stat(path).then(
    () => true,
    () => false,
  )
  if (!exists) return
  const message = `${path}: already exists; name a folder without a checkpoint`
  throw new CheckpointError({ code: 'folder-in-use', message })
}
