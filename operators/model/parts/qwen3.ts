// llm.qwen3: Qwen3 (arXiv:2505.09388): as Qwen2 with queries and keys normed head by head and no biases. In Qwen3-VL a token has
// three positions.
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { type DecoderPart, decoderPart, parseDecoder } from './decoder.ts'

/** Absent keys get the defaults of Qwen3Config. */
export function qwen3(fields: ConfigFields): DecoderPart {
  fields.only('model_type', 'qwen3')
  fields.only('use_sliding_window', false)
  return part(fields, false, {})
}

/** The language model of Qwen3-VL; absent keys get the defaults of Qwen3VLTextConfig. The whole model decides `tied`. */
export function qwen3VlText(fields: ConfigFields, whole: { tied: boolean }): DecoderPart {
  fields.only('model_type', 'qwen3_vl_text')
  return part(fields, true, whole)
}

function part(fields: ConfigFields, isSectioned: boolean, whole: { tied?: boolean }): DecoderPart {
  fields.only('attention_bias', false)
  const kind = { headsNormed: true, isSectioned }
  return decoderPart('qwen3', {
    ...parseDecoder(fields, isSectioned ? videoDefaults : defaults, kind),
    ...whole,
  })
}

const defaults = {
  hidden: 4096,
  intermediate: 22016,
  layers: 32,
  heads: 32,
  keyValueHeads: 32,
  headSize: 128,
  vocabulary: 151936,
  maxPositions: 32768,
}
const videoDefaults = { ...defaults, maxPositions: 128000, ropeTheta: 5e6 }
