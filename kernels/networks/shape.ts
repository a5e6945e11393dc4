import type { FloatType, Tensor } from '../device/tensor.ts'
import type { Pass } from '../layers/pass.ts'
import type { Recompute } from '../layers/recompute.ts'
import type { Rotation } from '../layers/rope.ts'
import type { ParameterSet } from './parameters.ts'

/** The parts of a video model: frames → tower → features → connector → visual tokens → language model. */
export interface ModelShape {
  readonly vision: Tower
  readonly connector: Connector
  readonly language: LanguageModel
}

/** A vision tower. The names of its weights begin with `vision_tower.` */
export interface Tower {
  /** Columns of a feature. */
  readonly hidden: number
  /** Blocks that are computed. */
  readonly blocks: number
  /** Side of the square frames, pixels. */
  readonly imageSize: number
  readonly channels: number
  /** Tokens of one frame in the blocks. */
  readonly tokens: number
  /** Features of one frame: the tokens that the connector gets. */
  readonly frameTokens: number
  /** Bytes of the attention scores of one frame, in float32. */
  readonly scoreBytes: number
  /** The tokens (frames · tokens, hidden) of pixels (frames, channels, size, size). */
  record(pass: Pass, weights: ParameterSet, pixels: Tensor): Tensor
}

/** A connector. The names of its weights begin with `connector.` */
export interface Connector {
  /** Layers, one after another; 0 for a single product. */
  readonly layers: number
  /** Visual tokens of a clip with this many features. */
  visualTokens(features: number): number
  /** The visual tokens (visual tokens, hidden of the language model) of features (features, hidden of the tower). */
  record(pass: Pass, weights: ParameterSet, features: Tensor): Tensor
}

/** Sizes of a language model whose weights are named as Qwen2's are: `language_model.model.layers.0.mlp.up_proj.weight`. */
export interface LanguageShape {
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headSize: number
  readonly vocabulary: number
  readonly ropeTheta: number
  readonly normEpsilon: number
  /** Logits use the embedding table. */
  readonly tied: boolean
  /** The projections of queries, keys and values have biases. */
  readonly biased: boolean
}

/** A language model. */
export interface LanguageModel extends LanguageShape {
  /** Whether the steps of few dispatches (generation/fast-steps.ts) compute the same as `record`. */
  readonly fastSteps: boolean
  /** Hidden states (rows, hidden) after the last norm. */
  record(pass: Pass, weights: ParameterSet, options: LanguageOptions): Tensor
}

export interface LanguageOptions {
  /** (rows, hidden) */
  embeddings: Tensor
  rotation: Rotation
  attend: Attend
  /** By default nothing is recomputed. */
  recompute?: Recompute
  /** Type of queries, keys and values; by default f32. */
  attendedType?: FloatType
}

/**
 * The attention of one layer, to the rows of the pass or to a cache: (rows, heads · headSize) from queries and keys of these
 * shapes, already rotated.
 */
export type Attend = (layer: number, queries: Tensor, keys: Tensor, values: Tensor) => Tensor

/** Features of a clip of this many frames. */
export const featuresOf = ({ frameTokens }: Tower, frames: number): number => frames * frameTokens
