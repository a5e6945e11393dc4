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
  /** Side of the square frames, pixels; with a `grid`, of the frames that plans of memory assume. */
  readonly imageSize: number
  readonly channels: number
  /** Tokens of one frame in the blocks. */
  readonly tokens: number
  /** Features of one frame, or of the frames of one moment: what the connector gets. */
  readonly frameTokens: number
  /** Bytes of the attention scores of one frame, or of one moment, in float32. */
  readonly scoreBytes: number
  /** Undefined where all frames are squares of one size. */
  readonly grid?: TowerGrid
  /**
   * The tokens (frames · tokens, hidden) of pixels (frames, channels, size, size); with a `grid`, the features of pixels (frames,
   * channels, height, width), of the shape that `featureShape` says.
   */
  record(pass: Pass, weights: ParameterSet, pixels: Tensor): Tensor
}

/**
 * How frames that keep their shape become features (moments, levels, rows, columns, hidden): a visual token for each square of
 * pixels of a moment, from several blocks of the tower.
 */
export interface TowerGrid {
  /** Pixels across the square. Heights and widths are multiples of it. */
  readonly unit: number
  /** Frames of one moment; where they do not come out even, the last one is repeated. */
  readonly step: number
  /** Blocks whose outputs are features. */
  readonly levels: number
  /**
   * Positions in time that a second of a clip takes, where all moments of a clip stand in one place of a prompt. Undefined where
   * each has a place of its own.
   */
  readonly positionsPerSecond?: number
}

/** Rows and columns of visual tokens. */
export interface Grid {
  readonly rows: number
  readonly columns: number
}

/** A connector. The names of its weights begin with `connector.` */
export interface Connector {
  /** Layers, one after another; 0 for a single product. */
  readonly layers: number
  /** Visual tokens of a clip with this many features. */
  visualTokens(features: number): number
  /**
   * Layers of the language model after which more is added at the visual tokens (DeepStack, Meng et al., arXiv:2406.04334): the
   * first ones. By default 0.
   */
  readonly deep?: number
  /**
   * The visual tokens (visual tokens, hidden of the language model) of features (features, hidden of the tower); below them as many
   * rows again for each of the `deep` layers.
   */
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
  /** Queries and keys are normed head by head before they are rotated. */
  readonly headsNormed: boolean
  /**
   * By which of a token's positions each pair of a head turns (`pickAngles`): 0 in time, 1 its row, 2 its column. Undefined where a
   * token has one position.
   */
  readonly streams?: readonly number[]
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
  /** Called with the hidden states (rows, hidden) after each layer; the next one gets what it returns. */
  after?: (layer: number, x: Tensor) => Tensor
}

/**
 * The attention of one layer, to the rows of the pass or to a cache: (rows, heads · headSize) from queries and keys of these
 * shapes, already rotated.
 */
export type Attend = (layer: number, queries: Tensor, keys: Tensor, values: Tensor) => Tensor

/** Features of a clip of this many frames; with a `grid`, of frames of the assumed size. */
export const featuresOf = ({ frameTokens, grid }: Tower, frames: number): number =>
  Math.ceil(frames / (grid?.step ?? 1)) * frameTokens

/** The shape of the features of pixels (frames, channels, height, width). */
export function featureShape({ hidden, frameTokens, grid }: Tower, pixels: readonly number[]): number[] {
  const [frames, , height, width] = pixels
  if (!grid) return [frames * frameTokens, hidden]
  const { unit, step, levels } = grid
  return [Math.ceil(frames / step), levels, height / unit, width / unit, hidden]
}

/** The visual tokens of one moment, by the shape of features. */
export const gridOf = ([, , rows, columns]: readonly number[]): Grid => ({ rows, columns })
