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

/** How one layer's rows attend: over the rows of the pass, or over a cache. Gets rotated queries and keys (rows, heads · headSize). */
export type Attend = (layer: number, queries: Tensor, keys: Tensor, values: Tensor) => Tensor

/**
 * Qwen2's blocks and last norm: embeddings (rows, hidden) to hidden states (rows, hidden). Queries, keys and values are
 * kept as `attended`.
 */
export function languageModel(
  pass: Pass,
  weights: ParameterSet,
  shape: LanguageShape,
  embeddings: Tensor,
  rotation: Rotation,
  attend: Attend,
  recompute: Recompute = 'none',
  attended: FloatType = 'f32',
): Tensor {
  const { heads, keyValueHeads, headSize, normEpsilon } = shape
  const type = pass.recording.factorType
  let x = embeddings
  for (let i = 0; i < shape.layers; i++) {
    const at = (name: string) => layerWeight(weights, i, name)
    const biased = (input: Tensor, name: string) =>
      linear(pass, input, at(`${name}.weight`), { bias: at(`${name}.bias`), type: attended })
    const attending = (from: Tensor): Tensor => {
      const h = rmsNorm(pass, from, at('input_layernorm.weight'), normEpsilon, type)
      const queries = biased(h, 'self_attn.q_proj')
      const keys = biased(h, 'self_attn.k_proj')
      const values = biased(h, 'self_attn.v_proj')
      rope(pass, queries, rotation, heads, headSize)
      rope(pass, keys, rotation, keyValueHeads, headSize)
      const attended = attend(i, queries, keys, values)
      return linear(pass, attended, at('self_attn.o_proj.weight'), { residual: from })
    }
    const feeding = (from: Tensor): Tensor => {
      const z = rmsNorm(pass, from, at('post_attention_layernorm.weight'), normEpsilon, type)
      const gate = linear(pass, z, at('mlp.gate_proj.weight'), { type })
      const gated = linear(pass, z, at('mlp.up_proj.weight'), { type, gate })
      return linear(pass, gated, at('mlp.down_proj.weight'), { residual: from })
    }
    x = block(pass, recompute, x, attending, feeding)
  }
  return rmsNorm(pass, x, lastNorm(weights), normEpsilon)
}

/** Attention among the rows of the pass. */
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
