import { stat } from '../../../engine/platform/files.ts'
import { basename, dirname, join } from '../../../engine/platform/paths.ts'
import { inside, isInside } from '../../../engine/shared/inside.ts'
import { isObject } from '../../../engine/shared/json.ts'
import { architectures } from '../architectures/index.ts'
import { CheckpointError, type CheckpointProblem, throwProblems } from '../files/checkpoint-error.ts'
import { isFloatFormat } from '../files/float-formats.ts'
import { fileProblem, readJsonFile } from '../files/json-file.ts'
import { openSafetensors, readTensor, type SafetensorsFile, unsupportedDtype } from '../files/safetensors.ts'
import { connectors, languages, towers } from '../parts/index.ts'
import { parseModelConfig } from './config.ts'
import type { ModelConfig } from './model-config.ts'
import { refuseWithoutParts } from './own-parts.ts'
import { checkOrder, matchPacked } from './packed-tensors.ts'
import type { StoredTensor } from './packing.ts'
import { type Processor, parseProcessor } from './processor.ts'
import { readProcessorFile } from './processor-file.ts'
import { refuseOther } from './refuse-other.ts'
import { expectedTensors, isUnusedTensor } from './tensor-names.ts'
import { openTokenizer, type Tokenizer } from './tokenizer.ts'

/** A checkpoint folder that has been checked; its weights are still on disk. */
export interface Checkpoint {
  readonly folder: string
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly processor: Processor
  /** The tensors that the model computes with, each present and of the right shape. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** The files that hold them, and others that the model does not use. */
  readonly files: readonly SafetensorsFile[]
  /** Values of one of `tensors` in row-major order, in pieces of at most 16 MiB of the file. */
  read(name: string): AsyncIterable<Float32Array<ArrayBuffer>>
}

/**
 * Opens a Hugging Face folder: config.json, tokenizer.json, tokenizer_config.json, preprocessor_config.json and
 * model.safetensors or shards with model.safetensors.index.json. Missing, misshapen, duplicate and unreadable tensors
 * of all files are listed in one error. A tensor that the model does not have is an error too: config.json does not
 * describe the file then, and loading the rest would silently give different numbers.
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  refuseOther(folder)
  refuseWithoutParts(folder, { architectures, connectors, languages, towers })
  const configPath = join(folder, 'config.json')
  const configJson = await readJsonFile(configPath)
  const tokenizer = await openTokenizer(folder)
  const endIds = await readEndIds(folder)
  const config = parseModelConfig(configPath, configJson, { ...tokenizer, endIds })
  const problems: CheckpointProblem[] = []
  const { imageSize, grid } = config.vision.network
  const use = { imageSize, grid, kind: config.processor }
  const { path, value } = await readProcessorFile(folder, use)
  const processor = parseProcessor(path, value, use, problems)
  const homes = new Map<string, SafetensorsFile>()
  const files = await openWeights(folder, problems, name => isUnusedTensor(config.names.own(name), config))
  for (const file of files) {
    for (const name of file.tensors.keys()) {
      const own = config.names.own(name)
      const other = homes.get(own)
      if (other) {
        const message = `${file.path}: tensor ${name} is also in ${basename(other.path)}`
        problems.push({ code: 'duplicate-tensor', message })
      } else homes.set(own, file)
    }
  }
  const tensors = matchTensors(folder, config, homes, problems)
  throwProblems(problems)
  await checkOrder({ config, tensors, homes }, problems)
  throwProblems(problems)
  return {
    folder,
    config,
    tokenizer,
    processor,
    tensors,
    files,
    read(name) {
      const file = tensors.has(name) ? homes.get(name) : undefined
      if (file) return readTensor(file, config.names.stored(name))
      const what = tensors.has(name) ? 'holds integers in place of the floats of' : 'has no tensor'
      throw new CheckpointError({ code: 'missing-tensor', message: `${folder}: the model ${what} ${name}` })
    },
  }
}

/** Every end token of `generation_config.json`; none without that file. */
async function readEndIds(folder: string): Promise<unknown[]> {
  const path = join(folder, 'generation_config.json')
  if (!(await exists(path))) return []
  const config = await readJsonFile(path)
  const stored = isObject(config) ? (config.eos_token_id ?? []) : []
  return Array.isArray(stored) ? stored : [stored]
}

const singleName = 'model.safetensors'
const indexName = 'model.safetensors.index.json'

/** One file, or the shards that the index names; a single file wins, as in the library that writes them. */
export async function openWeights(
  folder: string,
  problems: CheckpointProblem[],
  isUnused: (name: string) => boolean = () => false,
): Promise<SafetensorsFile[]> {
  const single = join(folder, singleName)
  if (await exists(single)) return [await openSafetensors(single)]
  const indexPath = join(folder, indexName)
  if (await exists(indexPath)) return openShards(indexPath, problems, isUnused)
  const message = `${folder}: no weights; it must hold ${singleName} or ${indexName} with its shards`
  throw new CheckpointError({ code: 'missing-file', message })
}

/** An index may name tensors that the model does not use, though no shard holds them: a head tied to the embedding, e.g. */
async function openShards(
  indexPath: string,
  problems: CheckpointProblem[],
  isUnused: (name: string) => boolean,
) {
  const index = await readJsonFile(indexPath)
  const map = isObject(index) ? index.weight_map : undefined
  if (!isObject(map)) {
    throw new CheckpointError({ code: 'bad-index', message: `${indexPath}: weight_map must be an object` })
  }
  const namesByShard = new Map<string, string[]>()
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !isInside(shard) || shard !== basename(shard) || shard.includes('\\')) {
      const message = `${indexPath}: tensor ${name} must name a file in the same folder, got ${JSON.stringify(shard)}`
      problems.push({ code: 'bad-index', message })
    } else namesByShard.set(shard, [...(namesByShard.get(shard) ?? []), name])
  }
  const files: SafetensorsFile[] = []
  for (const [shard, names] of namesByShard) {
    const file = await openShard(inside(dirname(indexPath), shard), indexPath, problems)
    if (!file) continue
    files.push(file)
    for (const name of names.filter(name => !file.tensors.has(name) && !isUnused(name))) {
      const message = `${file.path}: no tensor ${name}, which ${indexName} places here`
      problems.push({ code: 'missing-tensor', message })
    }
  }
  // Otherwise every tensor of an unreadable shard would be reported as missing too.
  throwProblems(problems)
  return files
}

/** An unusable shard is reported and skipped, so that one error lists the faults of all shards. */
async function openShard(path: string, indexPath: string, problems: CheckpointProblem[]) {
  if (!(await exists(path))) {
    problems.push({
      code: 'missing-file',
      message: `${path}: missing shard, named by ${basename(indexPath)}`,
    })
    return undefined
  }
  try {
    return await openSafetensors(path)
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error
    problems.push(...error.problems)
    return undefined
  }
}

function matchTensors(
  folder: string,
  config: ModelConfig,
  homes: ReadonlyMap<string, SafetensorsFile>,
  problems: CheckpointProblem[],
): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>()
  const expected = expectedTensors(config)
  const parts = new Set<string>()
  for (const [own, shape] of expected) {
    const name = config.names.stored(own)
    const file = homes.get(own)
    const entry = file?.tensors.get(name)
    const packed = entry ? undefined : matchPacked(own, shape, { config, homes, problems })
    if (packed) {
      tensors.set(own, packed.stored)
      for (const part of packed.names) parts.add(part)
    } else if (!file || !entry) {
      problems.push({
        code: 'missing-tensor',
        message: `${folder}: no tensor ${name} of shape (${shape.join(', ')})`,
      })
    } else if (entry.shape.join() !== shape.join()) {
      const message = `${file.path}: tensor ${name}: config.json says shape (${shape.join(', ')}), got (${entry.shape.join(', ')})`
      problems.push({ code: 'wrong-shape', message })
    } else if (!isFloatFormat(entry.dtype)) {
      problems.push(unsupportedDtype(file.path, name, entry.dtype))
    } else tensors.set(own, { shape, dtype: entry.dtype })
  }
  for (const [own, file] of homes) {
    if (expected.has(own) || parts.has(own) || isUnusedTensor(own, config)) continue
    const name = config.names.stored(own)
    problems.push({
      code: 'unknown-tensor',
      message: `${file.path}: the model that config.json describes has no tensor ${name}`,
    })
  }
  return tensors
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (cause) {
    const problem = fileProblem(path, cause)
    if (problem.code === 'missing-file') return false
    throw new CheckpointError(problem)
  }
}
