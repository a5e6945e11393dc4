// llm.qwen2: Qwen2 and Qwen2.5 (arXiv:2407.10671), with biases on queries, keys and values. In Qwen2.5-VL a token has three positions.
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { type DecoderPart, decoderPart, parseDecoder, qwenDefaults } from './decoder.ts'

/**
 * Absent keys get the defaults of Qwen2Config. `tied` comes from here if the whole model decides it; `isDynamic` says that the
 * model's files may name `dynamic` rotations.
 */
export function qwen2(
  fields: ConfigFields,
  { isDynamic = false, ...whole }: { tied?: boolean; isDynamic?: boolean } = {},
): DecoderPart {
  fields.only('model_type', 'qwen2')
  fields.only('use_sliding_window', false)
  return decoderPart('qwen2', {
    ...parseDecoder(fields, qwenDefaults, { biased: true, isDynamic }),
    ...whole,
  })
}

/** The language model of Qwen2.5-VL; absent keys get the defaults of Qwen2_5_VLTextConfig. The whole model decides `tied`. */
export function qwen25VlText(fields: ConfigFields, { tied }: { tied: boolean }): DecoderPart {
  fields.only('use_sliding_window', false)
  return decoderPart('qwen2', {
    ...parseDecoder(fields, videoDefaults, { biased: true, sections: 'in blocks' }),
    tied,
  })
}

const videoDefaults = {
  hidden: 8192,
  intermediate: 29568,
  layers: 80,
  heads: 64,
  keyValueHeads: 8,
  vocabulary: 152064,
  maxPositions: 32768,
  ropeTheta: 1e6,
  normEpsilon: 1e-5,
}
