// InternVL3 (arXiv:2504.10479): InternViT, pixel shuffle with two products, Qwen2.5, in either layout that it is published in.

import type { ConfigFields } from '../checkpoint/config-fields.ts'
import type { ModelConfig, TensorNames, TokenIds } from '../checkpoint/model-config.ts'
import { parseTokenIds } from '../checkpoint/token-ids.ts'
import { type InternVitPart, internVit, internVitPart } from '../parts/internvit.ts'
import { pixelShuffleMlp } from '../parts/pixel-shuffle-mlp.ts'
import { qwen2 } from '../parts/qwen2.ts'
import type { Architecture } from './architecture.ts'
import { namesByPrefix } from './names.ts'

/** As transformers stores it: repositories whose names end in `-hf`. */
export const internVl: Architecture = {
  summary: 'InternVL3 in the layout of transformers: InternViT, pixel shuffle with two products, Qwen2.5.',
  modelType: 'internvl',
  parse(fields, tokens) {
    fields.only('vision_feature_layer', -1)
    fields.only('vision_feature_select_strategy', 'default')
    const text = fields.object('text_config')
    // The whole model ties by default; files that store a head say in one of the two places that they do not.
    const tied = fields.boolean('tie_word_embeddings', true) && text.boolean('tie_word_embeddings', false)
    const vision = internVit(fields.object('vision_config'))
    return {
      ...model(fields, { vision, text, tied, tokens }),
      processor: 'internvl',
      template: 'internvl',
      names,
    }
  },
}

/** As its authors store it, beside code of their own. */
export const internVlChat: Architecture = {
  summary: 'InternVL3 in the layout of its authors.',
  modelType: 'internvl_chat',
  parse(fields, tokens) {
    fields.only('select_layer', -1)
    fields.only('ps_version', 'v2')
    fields.only('template', 'internvl2_5')
    fields.only('use_backbone_lora', 0)
    fields.only('use_llm_lora', 0)
    const tower = fields.object('vision_config')
    tower.only('model_type', 'intern_vit_6b')
    // Absent keys mean the tower of 6B, which norms queries and keys.
    tower.oneOf('qkv_bias', [true], false)
    tower.oneOf('qk_normalization', [false], true)
    tower.only('dropout', 0)
    tower.oneOf('norm_type', ['layer_norm'], 'rms_norm')
    const vision = internVitPart(tower, true)
    fields.only('force_image_size', vision.sizes.imageSize)
    const text = fields.object('llm_config')
    const tied = text.boolean('tie_word_embeddings', false)
    const found = model(fields, { vision, text, tied, tokens })
    return { ...found, processor: 'internvl-chat', template: 'internvl_chat', names: chatNames }
  },
}

function model(
  fields: ConfigFields,
  {
    vision,
    text,
    tied,
    tokens,
  }: { vision: InternVitPart; text: ConfigFields; tied: boolean; tokens: TokenIds },
): Omit<ModelConfig, 'processor' | 'template' | 'names'> {
  const language = qwen2(text, { tied, isDynamic: true })
  return {
    vision,
    connector: pixelShuffleMlp(fields, { tower: vision.network, language: language.network }),
    language,
    imageAspectRatio: 'square',
    maxLength: language.sizes.maxPositions,
    ...parseTokenIds(text, text, language.network.vocabulary, tokens),
  }
}

const tower = 'vision_tower._vision_tower.'
const connector = 'connector._connector.'

const names = namesByPrefix([
  [`${tower}encoder.layers.`, 'vision_tower.encoder.layer.'],
  [tower, 'vision_tower.'],
  [connector, 'multi_modal_projector.'],
])

/** Beginnings, then what follows them in the tower: our own and the stored one. */
const beginnings = namesByPrefix([
  [tower, 'vision_model.'],
  [`${connector}layer_norm.`, 'mlp1.0.'],
  [`${connector}linear_1.`, 'mlp1.1.'],
  [`${connector}linear_2.`, 'mlp1.3.'],
])
const within = [
  ['.cls_token', '.class_embedding'],
  ['.position_embeddings', '.position_embedding'],
  ['.patch_embeddings.projection.', '.patch_embedding.'],
  ['.attention.qkv.', '.attn.qkv.'],
  ['.attention.projection_layer.', '.attn.proj.'],
  ['.layernorm_before.', '.norm1.'],
  ['.layernorm_after.', '.norm2.'],
  ['.lambda_1', '.ls1'],
  ['.lambda_2', '.ls2'],
] as const

const chatNames: TensorNames = {
  stored(own) {
    const [mine, theirs] = (own.startsWith(tower) && within.find(([mine]) => own.includes(mine))) || ['', '']
    return beginnings.stored(own.replace(mine, theirs))
  },
  own(stored) {
    const own = beginnings.own(stored)
    const [mine, theirs] = (own.startsWith(tower) && within.find(([, theirs]) => own.includes(theirs))) || [
      '',
      '',
    ]
    return own.replace(theirs, mine)
  },
}
