// SmolVLM and SmolVLM2 (arXiv:2504.05299): SigLIP with its last norm, pixel shuffle, a Llama.

import type { ConfigFields } from '../checkpoint/config-fields.ts'
import type { ModelConfig, TokenIds } from '../checkpoint/model-config.ts'
import { parseTokenIds } from '../checkpoint/token-ids.ts'
import { llama } from '../parts/llama.ts'
import { pixelShuffle } from '../parts/pixel-shuffle.ts'
import { siglip } from '../parts/siglip.ts'
import type { Architecture } from './architecture.ts'
import { namesByPrefix } from './names.ts'

export const smolVlm: Architecture = {
  summary: 'SmolVLM and SmolVLM2: SigLIP, pixel shuffle, Llama.',
  modelType: 'smolvlm',
  parse,
}

function parse(fields: ConfigFields, tokens: TokenIds): ModelConfig {
  const text = fields.object('text_config')
  const vision = siglip(fields.object('vision_config'), {
    modelTypes: ['smolvlm_vision', 'siglip_vision_model'],
    layer: layers => layers,
    select: 'cls_patch',
    normed: true,
  })
  const language = llama(text, { tied: fields.boolean('tie_word_embeddings', false) })
  return {
    vision,
    connector: pixelShuffle(fields, { tower: vision.network, language: language.network }),
    language,
    imageAspectRatio: 'square',
    maxLength: language.sizes.maxPositions,
    // The key of the whole model has a default beyond the vocabulary.
    ...parseTokenIds(text, text, language.network.vocabulary, tokens),
    processor: 'smolvlm',
    template: 'smolvlm',
    names: namesByPrefix([
      ['vision_tower._vision_tower.vision_model.', 'model.vision_model.'],
      ['connector._connector.', 'model.connector.'],
      ['language_model.model.', 'model.text_model.'],
      ['language_model.lm_head.', 'lm_head.'],
    ]),
  }
}
