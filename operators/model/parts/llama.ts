// llm.llama: Llama (arXiv:2302.13971) and SmolLM2: as Qwen2, without biases.
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { type DecoderPart, decoderPart, parseDecoder } from './decoder.ts'

/** Absent keys get the defaults of LlamaConfig. `tied` comes from here if the whole model decides it. */
export function llama(fields: ConfigFields, whole: { tied?: boolean } = {}): DecoderPart {
  fields.only('model_type', 'llama')
  fields.only('attention_bias', false)
  fields.only('mlp_bias', false)
  return decoderPart('llama', { ...parseDecoder(fields, defaults), ...whole })
}

const defaults = {
  hidden: 4096,
  intermediate: 11008,
  layers: 32,
  heads: 32,
  vocabulary: 32000,
  maxPositions: 2048,
}
