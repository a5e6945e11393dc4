import { isObject } from '../../../engine/shared/json.ts'
import type { Connector, LanguageModel, Tower } from '../../../kernels/networks/shape.ts'
import type { TemplateName } from '../../text/template.ts'
import type { Architecture } from '../architectures/architecture.ts'
import { architectures } from '../architectures/index.ts'
import { type CheckpointProblem, throwProblems } from '../files/checkpoint-error.ts'
import type { Part } from '../parts/part.ts'
import { type ConfigFields, configFields, shown } from './config-fields.ts'
import type { ProcessorKind } from './processor.ts'

/** All of `config.json` that affects the numbers, complete and checked. */
export interface ModelConfig {
  readonly vision: Part<Tower>
  readonly connector: Part<Connector>
  readonly language: Part<LanguageModel>
  /** How frames that are not square become square; the released model squashes them. */
  readonly imageAspectRatio: 'square' | 'pad'
  /** Largest number of tokens, visual and text; longer sequences are truncated. */
  readonly maxLength: number
  /** Any of these ends a generation. */
  readonly eosIds: readonly number[]
  readonly padId: number
  readonly names: TensorNames
  readonly processor: ProcessorKind
  /** The conversation template that its training used. */
  readonly template: TemplateName
}

/** Names of tensors: our own, which all models share, and those of the checkpoint's files. */
export interface TensorNames {
  stored(own: string): string
  own(stored: string): string
}

/** What the configuration needs from the tokenizer: its end-of-text id and the ids of tokens. */
export interface TokenIds {
  readonly eosId: number | undefined
  /** Further ids that end an answer, from `generation_config.json`. */
  readonly endIds?: readonly unknown[]
  /** The vocabulary's token with the largest id. */
  readonly last?: { readonly token: string; readonly id: number }
  idOf(token: string): number | undefined
}

/**
 * Checks a parsed `config.json`. A model of another architecture or with other parts than the registered ones is an error,
 * as is every key whose effect is not implemented. Keys that Hugging Face leaves out because they hold the library's
 * default get that default. All faults are thrown together.
 */
export function parseModelConfig(path: string, value: unknown, tokens: TokenIds): ModelConfig {
  const problems: CheckpointProblem[] = []
  if (!isObject(value)) throwProblems([{ code: 'bad-config', message: `${path}: must hold an object` }])
  const fields = configFields(`${path}: `, value, problems)
  const config = architectureOf(fields).parse(fields, tokens)
  throwProblems(problems)
  return config
}

/** The architecture that the keys `architectures` and `model_type` name; without the first key, the published one. */
function architectureOf(fields: ConfigFields): Architecture {
  const [published] = architectures
  const names = fields.raw('architectures') ?? [published.name]
  const found = architectures.find(({ name }) => Array.isArray(names) && names.includes(name))
  if (!found) {
    const supported = architectures.map(({ name }) => name).join(', ')
    const message = `${shown(names)} is not supported; supported: ${supported}`
    fields.problem('architectures', message, 'unsupported-model')
  }
  const { modelType } = found ?? published
  if (!fields.has('model_type'))
    fields.problem('model_type', `missing; supported: ${modelType}`, 'unsupported-model')
  else fields.oneOf('model_type', [modelType], modelType)
  return found ?? published
}
