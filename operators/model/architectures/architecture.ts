import type { ConfigFields } from '../checkpoint/config-fields.ts'
import type { ModelConfig, TokenIds } from '../checkpoint/model-config.ts'

/** A class of models that a `config.json` can name: which parts it is made of, and what its tensors are called. */
export interface Architecture {
  readonly summary: string
  /** As in the key `model_type`. */
  readonly modelType: string
  /** Reads a whole `config.json`. Faults go to the fields' problems. */
  parse(fields: ConfigFields, tokens: TokenIds): ModelConfig
}
