// Qwen3-VL (arXiv:2511.21631): a tower for frames of any shape, mergers of squares, Qwen3 with three positions a token.

import type { ConfigFields } from '../checkpoint/config-fields.ts'
import type { ModelConfig, TokenIds } from '../checkpoint/model-config.ts'
import { parseTokenIds } from '../checkpoint/token-ids.ts'
import { gridVit } from '../parts/grid-vit.ts'
import { qwen3VlText } from '../parts/qwen3.ts'
import { squareMerger } from '../parts/square-merger.ts'
import type { Architecture } from './architecture.ts'
import { namesByPrefix } from './names.ts'

export const qwen3Vl: Architecture = {
  summary: 'Qwen3-VL: a tower for frames of any shape with DeepStack, Qwen3.',
  modelType: 'qwen3_vl',
  parse,
}

function parse(fields: ConfigFields, tokens: TokenIds): ModelConfig {
  const text = fields.object('text_config')
  const tower = fields.object('vision_config')
  const vision = gridVit(tower)
  const language = qwen3VlText(text, { tied: fields.boolean('tie_word_embeddings', false) })
  return {
    vision,
    connector: squareMerger(
      tower,
      { tower: vision.network, language: language.network },
      { patch: vision.sizes.hidden, norm: 'layer' },
    ),
    language,
    imageAspectRatio: 'square',
    maxLength: language.sizes.maxPositions,
    ...parseTokenIds(text, text, language.network.vocabulary, tokens),
    processor: 'qwen3vl',
    template: 'qwen3vl',
    names: namesByPrefix([
      ['connector._connector.merger.', 'model.visual.merger.'],
      ['connector._connector.deepstack.', 'model.visual.deepstack_merger_list.'],
      ['vision_tower._vision_tower.embeddings.patch_embedding.', 'model.visual.patch_embed.proj.'],
      ['vision_tower._vision_tower.embeddings.position_embedding.', 'model.visual.pos_embed.'],
      ['vision_tower._vision_tower.encoder.layers.', 'model.visual.blocks.'],
      ['vision_tower._vision_tower.', 'model.visual.'],
      ['language_model.model.', 'model.language_model.'],
      ['language_model.lm_head.', 'lm_head.'],
    ]),
  }
}
