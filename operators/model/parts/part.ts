import type { Connector, LanguageModel, Tower } from '../../../kernels/networks/shape.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'

/** Extents of a tensor; linear weights are (out, in). */
export type Shape = readonly number[]

/** A part of a model, of the sizes that a configuration gives it. */
export interface Part<Network> {
  /** Its name in the registry. */
  readonly kind: string
  readonly network: Network
  /** The tensors that it computes with. */
  readonly tensors: ReadonlyMap<string, Shape>
  /** All tensors that a released checkpoint stores of it. */
  readonly stored: ReadonlyMap<string, Shape>
  /** Whether a checkpoint may hold a tensor of this name although the part does not compute with it. */
  isUnused(name: string): boolean
}

/** What an architecture wants of a vision tower. */
export interface TowerUse {
  /** Allowed values of `model_type`. */
  readonly modelTypes: readonly string[]
  /** The hidden state that is the features, of a tower of so many layers: 0 is the embedding, k the output of block k. */
  layer(layers: number): number
  /** `patch` drops each frame's first token, `cls_patch` keeps all. */
  readonly select: 'patch' | 'cls_patch'
  /** Whether the tower's last norm follows. */
  readonly normed: boolean
}

/** The parts before and after a connector. */
export interface ConnectorEnds {
  readonly tower: Tower
  readonly language: LanguageModel
}

/** A kind of part as the registry has it: one line on it, and how it is read. Faults go to the fields' problems. */
interface Kind<Parse> {
  readonly summary: string
  readonly parse: Parse
}

/** Reads `vision_config`. */
export type TowerKind = Kind<(fields: ConfigFields, use: TowerUse) => Part<Tower>>
/** Reads the keys of `config.json` that are about the connector. */
export type ConnectorKind = Kind<(fields: ConfigFields, ends: ConnectorEnds) => Part<Connector>>
/** Reads `text_config`. */
export type LanguageKind = Kind<(fields: ConfigFields) => Part<LanguageModel>>

/** A weight with a bias as long as its first extent. */
export function* affine(name: string, shape: Shape): Generator<[string, Shape]> {
  yield [`${name}.weight`, shape]
  yield [`${name}.bias`, shape.slice(0, 1)]
}
