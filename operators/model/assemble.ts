import { type Config, operator } from '../../engine/operator.ts'
import { copyFile, readdir, writeFile } from '../../engine/platform/files.ts'
import { join } from '../../engine/platform/paths.ts'
import { makeFolder } from '../../engine/shared/files.ts'
import { isObject } from '../../engine/shared/json.ts'
import { resolvePath } from '../builtin.ts'
import { openWeights } from './checkpoint/checkpoint.ts'
import { parseModelConfig } from './checkpoint/config.ts'
import { newConfigJson } from './checkpoint/config-json.ts'
import { initial, initialBytes } from './checkpoint/initial-weights.ts'
import { refuseOther, storedTypes, tokenizerFiles } from './checkpoint/new-checkpoint.ts'
import { isUnusedTensor, storedTensors } from './checkpoint/tensor-names.ts'
import { openTokenizer, type Tokenizer } from './checkpoint/tokenizer.ts'
import { usualShardBytes, writeShards } from './checkpoint/write-shards.ts'
import { type CheckpointProblem, throwProblems } from './files/checkpoint-error.ts'
import { isFloatFormat } from './files/float-formats.ts'
import { readJsonFile } from './files/json-file.ts'
import { readTensor, type SafetensorsFile } from './files/safetensors.ts'
import type { TensorToWrite } from './files/safetensors-write.ts'
import type { Shape } from './parts/part.ts'

const fields = {
  vision: {
    type: 'string',
    reads: 'model',
    description: 'Hugging Face folder of a SigLIP model, or of its vision half.',
  },
  language: {
    type: 'string',
    reads: 'model',
    description: 'Hugging Face folder of a Qwen2 model, with its tokenizer.',
  },
  folder: { type: 'string', writes: true, description: 'Folder to write; it is created if it is missing.' },
  group: {
    type: 'integer',
    minimum: 1,
    default: 16,
    description: 'Groups of frames that the connector divides a clip into.',
  },
  queries: { type: 'integer', minimum: 1, default: 512, description: 'Visual tokens of a clip.' },
  connectorLayers: { type: 'integer', minimum: 1, default: 3, description: 'Layers of the connector.' },
  connectorScale: {
    type: 'number',
    minimum: 0,
    default: 0.02,
    description:
      "Standard deviation of the connector's new matrices. Its latents have standard deviation 1; norms start at 1, biases at 0.",
  },
  maxLength: {
    type: 'integer',
    minimum: 1,
    default: 3072,
    description: 'Longest sequence of visual and text tokens.',
  },
  seed: { type: 'integer', minimum: 0, default: 1, description: 'The same seed gives the same connector.' },
  dtype: {
    type: 'string',
    enum: ['bfloat16', 'float16', 'float32'],
    default: 'bfloat16',
    description: 'How the weights are stored.',
  },
} as const

/** The first stage of training, `pretrain`, starts from its output. */
export default operator({
  summary: 'Puts a SigLIP folder, a Qwen2 folder and a new connector together as a checkpoint folder.',
  config: fields,
  inputs: {},
  outputs: { folders: 'checkpoint-folder' },
  effects: true,
  async inspect(config) {
    const { tensors } = await assembly(config.folder, config)
    return [`${tensors.length} tensors`]
  },
  run: (_inputs, config, context) => ({
    folders: context.source<string>(async function* () {
      const folder = resolvePath(config.folder)
      await assemble(folder, config)
      const { vision, language } = config
      context.log(
        `wrote ${folder}: the vision tower of ${vision}, the language model of ${language}, and a new connector`,
      )
      yield { key: folder, value: folder }
    }),
  }),
})

/** The tensors and the configuration of the new checkpoint; throws every fault of the two halves. */
async function assembly(folder: string, config: Config<typeof fields>) {
  const [vision, language] = [resolvePath(config.vision, 'model'), resolvePath(config.language, 'model')]
  const tokenizer = await openTokenizer(language)
  const json = await configJson(vision, language, config, tokenizer)
  const model = parseModelConfig(join(folder, 'config.json'), json, tokenizer)
  const problems: CheckpointProblem[] = []
  const parts = [
    { prefix: 'vision_tower._vision_tower.', folder: vision, files: await openWeights(vision, problems) },
    { prefix: 'language_model.', folder: language, files: await openWeights(language, problems) },
  ]
  const format = storedTypes[config.dtype]
  const tensors = [...storedTensors(model)].flatMap(([name, shape]): TensorToWrite[] => {
    const part = parts.find(({ prefix }) => name.startsWith(prefix))
    if (!part) return [{ name, shape, dtype: format, chunks: newConnector(name, shape, config) }]
    const own = name.slice(part.prefix.length)
    const file = part.files.find(({ tensors }) => tensors.has(own))
    if (file && fits(file, own, shape, problems))
      return [{ name, shape, dtype: format, chunks: readTensor(file, own) }]
    // A half on its own may lack tensors that the model does not compute with.
    if (!file && !isUnusedTensor(name, model))
      problems.push({
        code: 'missing-tensor',
        message: `${part.folder}: no tensor ${own} (${shape.join(', ')})`,
      })
    return []
  })
  throwProblems(problems)
  return { vision, language, json, tensors }
}

async function assemble(folder: string, config: Config<typeof fields>): Promise<void> {
  const { vision, language, json, tensors } = await assembly(folder, config)
  await refuseOther(folder)
  makeFolder(folder)
  const copied = (await readdir(language)).filter(
    name => tokenizerFiles.test(name) || name === 'generation_config.json',
  )
  for (const name of copied) await copyFile(join(language, name), join(folder, name))
  await copyFile(join(vision, processorName), join(folder, processorName))
  for await (const _ of writeShards(folder, tensors, usualShardBytes));
  // Last, because a folder without it is no checkpoint: after an interruption it can be written again.
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(json, null, 2)}\n`)
}

const processorName = 'preprocessor_config.json'

function fits(file: SafetensorsFile, name: string, shape: Shape, problems: CheckpointProblem[]): boolean {
  const found = file.tensors.get(name)
  if (found && isFloatFormat(found.dtype) && found.shape.join() === shape.join()) return true
  const message = `${file.path}: tensor ${name} must be floats of shape (${shape.join(', ')}), got ${found?.dtype} (${found?.shape.join(', ')})`
  problems.push({ code: 'wrong-shape', message })
  return false
}

/** Values of a new tensor of the connector, as the published program draws them. */
function* newConnector(
  name: string,
  shape: Shape,
  { seed, connectorScale }: Config<typeof fields>,
): Generator<Float32Array> {
  const { deviation } = initial(name, shape)
  const factor = deviation === 0 || name.endsWith('.latents') ? 1 : connectorScale / deviation
  for (const bytes of initialBytes(name, shape, 'F32', seed))
    yield new Float32Array(bytes.slice().buffer).map(value => factor * value)
}

async function configJson(
  vision: string,
  language: string,
  config: Config<typeof fields>,
  { eosId }: Tokenizer,
): Promise<Record<string, unknown>> {
  const read = async (folder: string) => {
    const json = await readJsonFile(join(folder, 'config.json'))
    return isObject(json) ? json : {}
  }
  const [tower, text] = [await read(vision), await read(language)]
  const visionConfig = isObject(tower.vision_config) ? tower.vision_config : tower
  const halves = { text, vision: { ...visionConfig, model_type: 'siglip_vision_model' } }
  return newConfigJson({ languageName: 'qwen2', visionName: 'siglip', ...halves, eosId }, config)
}
