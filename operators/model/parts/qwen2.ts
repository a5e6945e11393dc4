// llm.qwen2: Qwen2 and Qwen2.5 (arXiv:2407.10671), with biases on queries, keys and values.
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { type DecoderPart, decoderPart, parseDecoder } from './decoder.ts'

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
  return decoderPart('qwen2', { ...parseDecoder(fields, defaults, { biased: true, isDynamic }), ...whole })
}

const defaults = {
  hidden: 4096,
  intermediate: 22016,
  layers: 32,
  heads: 32,
  keyValueHeads: 32,
  vocabulary: 151936,
  maxPositions: 32768,
}
