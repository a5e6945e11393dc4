// TinyLLaVA-Video (arXiv:2501.15513): the parts are named by keys of the configuration.

import { type ConfigFields, shown } from '../checkpoint/config-fields.ts'
import type { ModelConfig, TokenIds } from '../checkpoint/model-config.ts'
import { ownPart } from '../checkpoint/own-parts.ts'
import { parseTokenIds } from '../checkpoint/token-ids.ts'
import { connectors, languages, towers } from '../parts/index.ts'
import type { Architecture } from './architecture.ts'

export const tinyLlava: Architecture = {
  summary: 'TinyLLaVA-Video: config.json names its tower, connector and language model.',
  modelType: 'tinyllava',
  parse,
}

function parse(fields: ConfigFields, tokens: TokenIds): ModelConfig {
  fields.only('image_token_index', -200)
  fields.only('ignore_index', -100)
  const connectorOf = kindOf(fields, 'connector_type', connectors)
  const languageOf = kindOf(fields, 'llm_model_name_or_path', languages)
  const towerOf = kindOf(fields, 'vision_model_name_or_path', towers)
  const ownParts = [
    ...ownPart('connectors', ...connectorOf),
    ...ownPart('languages', ...languageOf),
    ...ownPart('towers', ...towerOf),
  ]
  const text = fields.object('text_config')
  const vision = towerOf[1].parse(fields.object('vision_config'), {
    modelTypes: ['siglip_vision_model'],
    layer: layers => parseFeatureLayer(fields, layers),
    select: fields.oneOf('vision_feature_select_strategy', ['patch', 'cls_patch'], 'patch'),
    normed: false,
  })
  const language = languageOf[1].parse(text)
  return {
    vision,
    connector: connectorOf[1].parse(fields, { tower: vision.network, language: language.network }),
    language,
    imageAspectRatio: fields.oneOf('image_aspect_ratio', ['square', 'pad'], 'square'),
    maxLength: fields.integer('tokenizer_model_max_length', { minimum: 1 }),
    ...parseTokenIds(fields, text, language.network.vocabulary, tokens),
    processor: 'siglip',
    template: 'qwen2_base',
    names: { stored: name => name, own: name => name },
    ...(ownParts.length > 0 && { ownParts }),
  }
}

/**
 * The kind, after its name, whose name occurs in the text before a colon, in upper or lower case, as the published code picks a part's class;
 * of several, the one with the longest name. With an unknown name, a problem, and the first kind.
 */
function kindOf<Kind>(fields: ConfigFields, key: string, kinds: ReadonlyMap<string, Kind>): [string, Kind] {
  const found = fields.raw(key)
  const text = typeof found === 'string' ? (found.split(':')[0] ?? '').toLowerCase() : ''
  const [named] = [...kinds]
    .filter(([name]) => text.includes(name.toLowerCase()))
    .sort(([a], [b]) => b.length - a.length)
  if (named) return named
  const names = [...kinds.keys()].map(name => `"${name}"`).join(' or ')
  fields.problem(
    key,
    `${shown(found)} is not supported; supported: names with ${names}; a plugin adds others (--plugin FILE)`,
    'unsupported-model',
  )
  const [first] = kinds
  if (!first) throw new Error(`${key}: no kinds are registered`)
  return first
}

function parseFeatureLayer(fields: ConfigFields, layers: number): number {
  const layer = fields.integer('vision_feature_layer', { minimum: -(layers + 1), fallback: -2 })
  if (layer > layers) fields.problem('vision_feature_layer', `must be at most ${layers}, got ${layer}`)
  return layer < 0 ? layers + 1 + layer : layer
}
