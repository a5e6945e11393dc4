import type { ActivationName } from '../wgsl/activation-functions.ts'

/** Sizes of a TinyLLaVA-Video model. */
export interface ModelShape {
  vision: VisionShape
  connector: ConnectorShape
  language: LanguageShape
}

export interface VisionShape {
  hidden: number
  intermediate: number
  /** Blocks that are computed: those up to the feature layer. */
  blocks: number
  heads: number
  imageSize: number
  patchSize: number
  channels: number
  normEpsilon: number
  activation: ActivationName
  /** `patch` drops the first token of each frame, as the released weights expect; `cls_patch` keeps all. */
  select: 'patch' | 'cls_patch'
}

export interface ConnectorShape {
  /** Runs of tokens that are resampled apart. */
  groups: number
  /** Learned latents of one group: floor(queries / groups). */
  latents: number
  layers: number
  heads: number
  headSize: number
}

export interface LanguageShape {
  hidden: number
  layers: number
  heads: number
  keyValueHeads: number
  headSize: number
  vocabulary: number
  ropeTheta: number
  normEpsilon: number
  /** Logits use the embedding table. */
  tied: boolean
}

/** Tokens of one frame before selection. */
export const tokensOfFrame = ({ imageSize, patchSize }: VisionShape): number =>
  Math.floor(imageSize / patchSize) ** 2

export const selectedTokens = (vision: VisionShape): number =>
  tokensOfFrame(vision) - (vision.select === 'patch' ? 1 : 0)

export const visualTokens = ({ groups, latents }: ConnectorShape): number => groups * latents
