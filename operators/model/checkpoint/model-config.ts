import type { Connector, LanguageModel, Tower } from '../../../kernels/networks/shape.ts'
import type { TemplateName } from '../../text/template.ts'
import type { Part } from '../parts/part.ts'
import type { OwnPart } from './own-parts.ts'
import type { StoredIntegers } from './packing.ts'
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
  /** How matrices are packed that the checkpoint holds as integers; undefined where all are floats. */
  readonly integers?: StoredIntegers
  /** The parts that plugins have; undefined where all are flow's own. */
  readonly ownParts?: readonly OwnPart[]
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
