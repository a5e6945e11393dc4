// llm.qwen3: Qwen3 (arXiv:2505.09388): as Qwen2 with queries and keys normed head by head and no biases. In Qwen3-VL a token has
// three positions.
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { type DecoderPart, type DecoderSizes, decoderPart, parseDecoder, qwenDefaults } from './decoder.ts'

/** Absent keys get the defaults of Qwen3Config. */
export function qwen3(fields: ConfigFields): DecoderPart {
  fields.only('model_type', 'qwen3')
  fields.only('use_sliding_window', false)
  return decoderPart('qwen3', parse(fields, false))
}

/** The language model of Qwen3-VL; absent keys get the defaults of Qwen3VLTextConfig. The whole model decides `tied`. */
export function qwen3VlText(fields: ConfigFields, { tied }: { tied: boolean }): DecoderPart {
  fields.only('model_type', 'qwen3_vl_text')
  return decoderPart('qwen3', { ...parse(fields, true), tied })
}

function parse(fields: ConfigFields, isSectioned: boolean): DecoderSizes {
  fields.only('attention_bias', false)
  if (!isSectioned) return parseDecoder(fields, defaults, { headsNormed: true })
  return parseDecoder(fields, videoDefaults, { headsNormed: true, sections: 'in turn' })
}

const defaults = { ...qwenDefaults, headSize: 128 }
const videoDefaults = { ...defaults, maxPositions: 128000, ropeTheta: 5e6 }
