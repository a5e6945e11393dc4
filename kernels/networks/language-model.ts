import type { Mask } from '../attention/softmax.ts'
import type { FloatType, Tensor } from '../device/tensor.ts'
import { attention } from '../layers/attention.ts'
import { linear } from '../layers/linear.ts'
import { rmsNorm } from '../layers/norm.ts'
import type { Pass } from '../layers/pass.ts'
import { block, type Recompute } from '../layers/recompute.ts'
import { type Rotation, rope } from '../layers/rope.ts'
import { type ParameterSet, parameter } from './parameters.ts'
import type { LanguageShape } from './shape.ts'

const prefix = 'language_model.model'

/**
 * The attention of one layer, to the rows of the pass or to a cache: (rows, heads · headSize) from queries and keys of these
 * shapes, already rotated.
 */
export type Attend = (layer: number, queries: Tensor, keys: Tensor, values: Tensor) => Tensor

export interface LanguageModelOptions {
  /** (rows, hidden) */
  embeddings: Tensor
  rotation: Rotation
  attend: Attend
  /** By default nothing is recomputed. */
  recompute?: Recompute
  /** Type of queries, keys and values; by default f32. */
  attendedType?: FloatType
}

/** Qwen2's blocks and last norm: hidden states (rows, hidden). */
export function languageModel(
  pass: Pass,
  weights: ParameterSet,
  shape: LanguageShape,
  { embeddings, rotation, attend, recompute = 'none', attendedType = 'f32' }: LanguageModelOptions,
): Tensor {
  const { heads, keyValueHeads, headSize, normEpsilon } = shape
  const type = pass.recording.factorType
  let x = embeddings
  for (let i = 0; i < shape.layers; i++) {
    const at = (name: string) => layerWeight(weights, i, name)
    const biased = (input: Tensor, name: string) =>
      linear(pass, input, at(`${name}.weight`), { bias: at(`${name}.bias`), type: attendedType })
    const attentionHalf = (from: Tensor): Tensor => {
      const h = rmsNorm(pass, from, at('input_layernorm.weight'), normEpsilon, type)
      const queries = biased(h, 'self_attn.q_proj')
      const keys = biased(h, 'self_attn.k_proj')
      const values = biased(h, 'self_attn.v_proj')
      rope(pass, queries, rotation, heads, headSize)
      rope(pass, keys, rotation, keyValueHeads, headSize)
      const attended = attend(i, queries, keys, values)
      return linear(pass, attended, at('self_attn.o_proj.weight'), { residual: from })
    }
    const feedForwardHalf = (from: Tensor): Tensor => {
      const z = rmsNorm(pass, from, at('post_attention_layernorm.weight'), normEpsilon, type)
      const gate = linear(pass, z, at('mlp.gate_proj.weight'), { type })
      const gated = linear(pass, z, at('mlp.up_proj.weight'), { type, gate })
      return linear(pass, gated, at('mlp.down_proj.weight'), { residual: from })
    }
    x = block(pass, recompute, x, attentionHalf, feedForwardHalf)
  }
  return rmsNorm(pass, x, lastNorm(weights), normEpsilon)
}

/** Attention of the rows of the pass to each other. */
export function attendWithin(pass: Pass, shape: LanguageShape, mask: Mask): Attend {
  const { heads, keyValueHeads, headSize } = shape
  return (_, queries, keys, values) =>
    attention(pass, {
      queries: { tensor: queries },
      keys: { tensor: keys },
      values: { tensor: values },
      batches: 1,
      rows: queries.shape[0],
      keyRows: keys.shape[0],
      heads,
      keyValueHeads,
      headSize,
      scale: headSize ** -0.5,
      mask,
    })
}

/** A weight of a block, such as `mlp.up_proj.weight`. */
export const layerWeight = (weights: ParameterSet, layer: number, name: string) =>
  parameter(weights, `${prefix}.layers.${layer}.${name}`)

export const lastNorm = (weights: ParameterSet) => parameter(weights, `${prefix}.norm.weight`)

/** The token embedding table; logits use it too when the head is tied. */
export const embeddingTable = (weights: ParameterSet) => parameter(weights, `${prefix}.embed_tokens.weight`)

export const headWeight = (weights: ParameterSet, shape: LanguageShape) =>
  shape.tied ? embeddingTable(weights) : parameter(weights, 'language_model.lm_head.weight')
