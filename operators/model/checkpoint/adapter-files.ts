import { existsSync, readFileSync, writeFile } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { makeFolder } from '../../../engine/shared/files.ts'
import { inside } from '../../../engine/shared/inside.ts'
import { isObject, withoutMark } from '../../../engine/shared/json.ts'
import type { Parameter } from '../../../kernels/layers/pass.ts'
import { adapterNames } from '../../../kernels/networks/adapters.ts'
import type { ParameterSet } from '../../../kernels/networks/parameters.ts'
import { resolvePath } from '../../builtin.ts'
import { CheckpointError, type CheckpointProblem, throwProblems } from '../files/checkpoint-error.ts'
import { readJsonFile } from '../files/json-file.ts'
import { openSafetensors, readTensor, type SafetensorsFile } from '../files/safetensors.ts'
import { writeSafetensors } from '../files/safetensors-write.ts'
import { readPieces } from '../files/tensor-pieces.ts'
import { uploadTensors } from '../files/upload.ts'
import { type AdapterSource, adaptable, type NewAdapter } from './adapter.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { LoadedModel } from './load-model.ts'

/**
 * Writes the adapter of a model as PEFT does: adapter_config.json and adapter_model.safetensors, in float32. The
 * folder is created if it is missing; the same adapter gives the same bytes.
 */
export async function saveAdapter(
  { device, weights, adapter, folder: base, config: { names } }: LoadedModel,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  if (!adapter) throw new Error('saveAdapter: the model has no adapter')
  makeFolder(folder)
  const targets = adaptedWeights(weights)
  const tensors = matricesOf(weights).map(({ name, value, shape }) => {
    const stored = prefix + names.stored(name)
    return { name: stored, shape, dtype: 'F32' as const, chunks: readPieces(device, value, signal) }
  })
  await writeSafetensors(join(folder, weightsName), tensors)
  const config = {
    peft_type: 'LORA',
    task_type: null,
    base_model_name_or_path: base,
    inference_mode: true,
    r: adapter.rank,
    lora_alpha: adapter.alpha,
    lora_dropout: 0,
    use_rslora: adapter.rankStabilised,
    use_dora: false,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
    rank_pattern: {},
    alpha_pattern: {},
    // Full names, because the vision tower has layers with the same last names.
    target_modules: targets.map(target => names.stored(target).replace(/\.weight$/, '')),
  }
  await writeFile(join(folder, configName), `${JSON.stringify(config, null, 2)}\n`)
}

/** Where a run and its checkpoints hold the adapter of their policy. */
const inRuns = ['adapter', 'policy/adapter', 'checkpoints/last/policy/adapter']

/** The PEFT folder that a path means: the folder itself, or that of the run or checkpoint at the path. */
function peftFolder(path: string): string {
  const isThere = (folder: string) => existsSync(join(folder, configName))
  if (isThere(path)) return path
  return inRuns.map(name => inside(path, name)).find(isThere) ?? path
}

/**
 * Opens a PEFT folder, or that of a run or checkpoint, for the checkpoint that it was trained on. Its tensors say which layers are adapted. Throws if a
 * tensor belongs to no layer or has the wrong shape, or if the config asks for more than plain LoRA.
 */
export async function openAdapter(path: string, checkpoint: Checkpoint): Promise<AdapterSource> {
  const folder = peftFolder(path)
  const settings = await readSettings(join(folder, configName))
  const file = await openSafetensors(join(folder, weightsName))
  const { stored } = checkpoint.config.names
  const problems: CheckpointProblem[] = []
  const rest = new Set(file.tensors.keys())
  const targets = adaptable(checkpoint).filter(target => {
    const [outputs = 0, inputs = 0] = checkpoint.tensors.get(target)?.shape ?? []
    const { down, up } = adapterNames(target)
    const found = [
      takeTensor(file, rest, stored(down), [settings.rank, inputs]),
      takeTensor(file, rest, stored(up), [outputs, settings.rank]),
    ]
    const faults = found.flatMap(({ problem }) => (problem ? [problem] : []))
    const present = found.some(({ present }) => present)
    if (present) problems.push(...faults)
    return present
  })
  for (const name of rest) {
    const message = `${file.path}: tensor ${name} belongs to no linear layer of ${checkpoint.folder}`
    problems.push({ code: 'unknown-tensor', message })
  }
  throwProblems(problems)
  if (targets.length === 0)
    throw new CheckpointError({ code: 'missing-tensor', message: `${file.path}: holds no adapter` })
  return { ...settings, targets, read: name => readTensor(file, prefix + stored(name)) }
}

/** Rank and targets of a PEFT folder, as its config states them. Throws when it cannot be read. */
export function storedAdapter(folder: string): Pick<NewAdapter, 'rank' | 'targets'> {
  const path = join(peftFolder(resolvePath(folder, 'model')), configName)
  const json: unknown = JSON.parse(withoutMark(readFileSync(path, 'utf8')))
  const { r = 8, target_modules: targets } = isObject(json) ? json : {}
  if (typeof r !== 'number' || !Array.isArray(targets))
    throw new CheckpointError({ code: 'bad-config', message: `${path}: must state r and target_modules` })
  return { rank: r, targets: targets.map(String) }
}

/** Sets a model's adapter to the values that `saveAdapter` wrote. */
export async function restoreAdapter(
  { device, weights, config: { names } }: LoadedModel,
  folder: string,
): Promise<void> {
  const file = await openSafetensors(join(folder, weightsName))
  const places = matricesOf(weights).map(({ name, value }) => [prefix + names.stored(name), value] as const)
  await uploadTensors(device, file, new Map(places))
}

const prefix = 'base_model.model.'
const weightsName = 'adapter_model.safetensors'
const configName = 'adapter_config.json'

const adaptedWeights = ({ byName }: ParameterSet): string[] =>
  [...byName.values()].flatMap(({ name, adapter }) => (adapter ? [name] : []))

const matricesOf = ({ byName }: ParameterSet): Parameter[] =>
  [...byName.values()].flatMap(({ adapter }) => (adapter ? [adapter.down, adapter.up] : []))

function takeTensor(
  file: SafetensorsFile,
  rest: Set<string>,
  name: string,
  shape: readonly number[],
): { present: boolean; problem?: CheckpointProblem } {
  const entry = file.tensors.get(prefix + name)
  rest.delete(prefix + name)
  const tensor = `${file.path}: tensor ${prefix}${name}`
  const expected = `(${shape.join(', ')})`
  if (!entry) {
    const message = `${tensor} of shape ${expected} is missing`
    return { present: false, problem: { code: 'missing-tensor', message } }
  }
  if (entry.shape.join() === shape.join()) return { present: true }
  const message = `${tensor}: must have shape ${expected}, got (${entry.shape.join(', ')})`
  return { present: true, problem: { code: 'wrong-shape', message } }
}

/** Settings that PEFT has left out have PEFT's defaults. */
async function readSettings(path: string) {
  const json = await readJsonFile(path)
  const config = isObject(json) ? json : {}
  const fail = (rule: string) => new CheckpointError({ code: 'bad-config', message: `${path}: ${rule}` })
  const found = (key: string) => JSON.stringify(config[key])
  if (config.peft_type !== 'LORA') throw fail(`peft_type must be "LORA", got ${found('peft_type')}`)
  for (const key of unsupported) {
    const value = config[key]
    if (!isOff(value)) throw fail(`${key} is not supported, got ${found(key)}`)
  }
  if (!changesNoBase(config.init_lora_weights))
    throw fail(
      `init_lora_weights ${found('init_lora_weights')} changes the base model when PEFT loads the adapter, which is not supported; convert it to plain LoRA (save_pretrained with path_initial_model_for_weight_conversion)`,
    )
  const { r: rank = 8, lora_alpha: alpha = 8, use_rslora: rankStabilised = false } = config
  if (typeof rank !== 'number' || !Number.isInteger(rank) || rank < 1)
    throw fail(`r must be a whole number of at least 1, got ${found('r')}`)
  if (typeof alpha !== 'number' || !(alpha > 0))
    throw fail(`lora_alpha must be > 0, got ${found('lora_alpha')}`)
  return { rank, alpha, rankStabilised: rankStabilised === true }
}

/** Settings that change the arithmetic of an adapter; all of them must be off. */
const unsupported = [
  'use_dora',
  'fan_in_fan_out',
  'lora_bias',
  'bias',
  'modules_to_save',
  'rank_pattern',
  'alpha_pattern',
  'layer_replication',
  'target_parameters',
  'use_qalora',
  'use_bdlora',
  'alora_invocation_tokens',
  'arrow_config',
  'kasa_config',
  'monteclora_config',
  'velora_config',
]

/** Ways to start the matrices that leave the base as it is; PiSSA, OLoRA, LoftQ, CorDA and LoRA-GA take their start out of it. */
const changesNoBase = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  [true, false, 'gaussian', 'eva', 'orthogonal'].includes(value as never)

const isOff = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === 'none' ||
  (typeof value === 'object' && Object.keys(value).length === 0)
