import type { Mask } from '../attention/softmax.ts'
import { attention } from '../layers/attention.ts'
import type { Pass } from '../layers/pass.ts'
import { type ParameterSet, parameter } from './parameters.ts'
import type { Attend, LanguageShape } from './shape.ts'

const prefix = 'language_model.model'

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
