// Qwen2.5-VL (arXiv:2502.13923): a tower of windows for frames of any shape, a merger of squares, Qwen2.5 with three positions a token.

import type { ConfigFields } from '../checkpoint/config-fields.ts'
import type { ModelConfig, TokenIds } from '../checkpoint/model-config.ts'
import { parseTokenIds } from '../checkpoint/token-ids.ts'
import { qwen25VlText } from '../parts/qwen2.ts'
import { squareMerger } from '../parts/square-merger.ts'
import { windowVit } from '../parts/window-vit.ts'
import type { Architecture } from './architecture.ts'
import { namesByPrefix } from './names.ts'

export const qwen25Vl: Architecture = {
  summary: 'Qwen2.5-VL: a tower of windows for frames of any shape, Qwen2.5.',
  modelType: 'qwen2_5_vl',
  parse,
}

function parse(fields: ConfigFields, tokens: TokenIds): ModelConfig {
  // The released files have the keys of the language model beside the others.
  const isNested = fields.has('text_config')
  const text = isNested ? fields.object('text_config') : fields
  if (isNested) text.only('model_type', 'qwen2_5_vl_text')
  const tied = fields.boolean('tie_word_embeddings', false) || text.boolean('tie_word_embeddings', false)
  const vision = windowVit(fields.object('vision_config'))
  const language = qwen25VlText(text, { tied })
  const ends = { tower: vision.network, language: language.network }
  return {
    vision,
    connector: squareMerger(fields.object('vision_config'), ends, {
      patch: vision.sizes.hidden,
      norm: 'rms',
    }),
    language,
    imageAspectRatio: 'square',
    maxLength: language.sizes.maxPositions,
    ...parseTokenIds(text, text, language.network.vocabulary, tokens),
    processor: 'qwen25vl',
    template: 'qwen25vl',
    names: namesByPrefix([
      ['connector._connector.merger.norm.', 'visual.merger.ln_q.'],
      ['connector._connector.merger.linear_fc1.', 'visual.merger.mlp.0.'],
      ['connector._connector.merger.linear_fc2.', 'visual.merger.mlp.2.'],
      ['vision_tower._vision_tower.embeddings.patch_embedding.', 'visual.patch_embed.proj.'],
      ['vision_tower._vision_tower.encoder.layers.', 'visual.blocks.'],
      ['language_model.model.', 'model.'],
      ['language_model.lm_head.', 'lm_head.'],
    ]),
  }
}
