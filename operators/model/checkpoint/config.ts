import { isObject } from '../../../engine/shared/json.ts'
import { architectures, published } from '../architectures/index.ts'
import { type CheckpointProblem, throwProblems } from '../files/checkpoint-error.ts'
import { type ConfigFields, configFields, shown } from './config-fields.ts'
import type { ModelConfig, TokenIds } from './model-config.ts'
import { ownPart } from './own-parts.ts'
import { parsePacking } from './packing.ts'

/**
 * Checks a parsed `config.json`. A model of another architecture or with other parts than the registered ones is an error,
 * as is every key whose effect is not implemented. Keys that Hugging Face leaves out because they hold the library's
 * default get that default. All faults are thrown together.
 */
export function parseModelConfig(path: string, value: unknown, tokens: TokenIds): ModelConfig {
  const problems: CheckpointProblem[] = []
  if (!isObject(value)) throwProblems([{ code: 'bad-config', message: `${path}: must hold an object` }])
  const fields = configFields(`${path}: `, value, problems)
  const { name, architecture } = architectureOf(fields)
  const config = architecture.parse(fields, tokens)
  const integers = parsePacking(fields)
  throwProblems(problems)
  const ownParts = [...ownPart('architectures', name, architecture), ...(config.ownParts ?? [])]
  return { ...config, ...(integers && { integers }), ...(ownParts.length > 0 && { ownParts }) }
}

/** The architecture that the keys `architectures` and `model_type` name; without the first key, the published one. */
function architectureOf(fields: ConfigFields) {
  const names = fields.raw('architectures') ?? [published.name]
  const [name, found] = [...architectures].find(([name]) => Array.isArray(names) && names.includes(name)) ?? [
    '',
  ]
  if (!found) {
    const supported = [...architectures.keys()].join(', ')
    const message = `${shown(names)} is not supported; supported: ${supported}; a plugin adds others (--plugin FILE)`
    fields.problem('architectures', message, 'unsupported-model')
  }
  const { modelType } = found ?? published.architecture
  if (!fields.has('model_type'))
    fields.problem('model_type', `missing; supported: ${modelType}`, 'unsupported-model')
  else fields.oneOf('model_type', [modelType], modelType)
  return found ? { name, architecture: found } : published
}
