import { isObject } from '../../../engine/shared/json.ts'
import { type CheckpointProblem, throwProblems } from '../files/checkpoint-error.ts'
import { type ConfigFields, configFields, shown } from './config-fields.ts'

/** All of `config.json` that affects the numbers, complete and checked. */
export interface ModelConfig {
  readonly vision: VisionConfig
  readonly connector: ConnectorConfig
  readonly language: LanguageConfig
  /** Vision blocks to run: index of the chosen hidden state, where 0 is the embedding and k the output of block k. */
  readonly featureLayer: number
  /** `patch` drops each frame's first token, `cls_patch` keeps all. */
  readonly select: 'patch' | 'cls_patch'
  /** How frames that are not square become square; the released model squashes them. */
  readonly imageAspectRatio: 'square' | 'pad'
  /** Largest number of tokens, visual and text; longer sequences are truncated. */
  readonly maxLength: number
  /** Any of these ends a generation. */
  readonly eosIds: readonly number[]
  readonly padId: number
}

export interface VisionConfig {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly headSize: number
  /** Side of the square frames, pixels. */
  readonly imageSize: number
  readonly patchSize: number
  readonly channels: number
  /** Patches of a frame: rows and columns of pixels that fill no whole patch are ignored. */
  readonly tokens: number
  readonly normEpsilon: number
  readonly activation: 'gelu_pytorch_tanh' | 'gelu'
}

export interface ConnectorConfig {
  /** Groups of frames that the clip's tokens are divided into. */
  readonly group: number
  /** Learned latents of one group, shared by all groups. */
  readonly latents: number
  /** Visual tokens of a clip: groups × latents, less than `num_queries` when that does not divide. */
  readonly queries: number
  readonly layers: number
  readonly heads: number
  readonly headSize: number
  /** Width of the feed-forward part. */
  readonly intermediate: number
  readonly normEpsilon: number
}

export interface LanguageConfig {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headSize: number
  readonly vocabulary: number
  readonly ropeTheta: number
  readonly normEpsilon: number
  /** The head is the transposed embedding. */
  readonly tied: boolean
  readonly maxPositions: number
}

/** What the configuration needs from the tokenizer: its end-of-text id and the ids of tokens. */
export interface TokenIds {
  readonly eosId: number | undefined
  /** Further ids that end an answer, from `generation_config.json`. */
  readonly endIds?: readonly unknown[]
  /** The vocabulary's token with the largest id. */
  readonly last?: { readonly token: string; readonly id: number }
  idOf(token: string): number | undefined
}

/**
 * Checks a parsed `config.json`. A model that differs from TinyLLaVA-Video with SigLIP, group resampler and Qwen2 is
 * an error, as is every key whose effect is not implemented. Keys that Hugging Face leaves out because they hold the
 * library's default (Qwen2Config, SiglipVisionConfig) get that default. All faults are thrown together.
 */
export function parseModelConfig(path: string, value: unknown, tokens: TokenIds): ModelConfig {
  const problems: CheckpointProblem[] = []
  if (!isObject(value)) throwProblems([{ code: 'bad-config', message: `${path}: must hold an object` }])
  const fields = configFields(`${path}: `, value, problems)
  const text = fields.object('text_config')
  checkArchitecture(fields)
  const vision = parseVision(fields.object('vision_config'))
  const language = parseLanguage(text)
  const config: ModelConfig = {
    vision,
    connector: parseConnector(fields, language.hidden),
    language,
    featureLayer: parseFeatureLayer(fields, vision.layers),
    select: fields.oneOf('vision_feature_select_strategy', ['patch', 'cls_patch'], 'patch'),
    imageAspectRatio: fields.oneOf('image_aspect_ratio', ['square', 'pad'], 'square'),
    maxLength: fields.integer('tokenizer_model_max_length', { minimum: 1 }),
    ...parseTokenIds(fields, text, language.vocabulary, tokens),
  }
  throwProblems(problems)
  return config
}

function checkArchitecture(fields: ConfigFields): void {
  const supported = 'TinyLlavaForConditionalGeneration'
  const architectures = fields.raw('architectures') ?? [supported]
  if (!Array.isArray(architectures) || !architectures.includes(supported)) {
    const found = `${shown(architectures)} is not supported; supported: ${supported}`
    fields.problem('architectures', found, 'unsupported-model')
  }
  if (!fields.has('model_type'))
    fields.problem('model_type', 'missing; supported: tinyllava', 'unsupported-model')
  else fields.oneOf('model_type', ['tinyllava'], 'tinyllava')
  fields.only('image_token_index', -200)
  fields.only('ignore_index', -100)
  fields.only('quantization_config')
  checkKind(fields, 'connector_type', 'groupresampler')
  checkKind(fields, 'llm_model_name_or_path', 'qwen2')
  checkKind(fields, 'vision_model_name_or_path', 'siglip')
}

/** The published code picks a part's class by a name that occurs in the text before a colon, in upper or lower case. */
function checkKind(fields: ConfigFields, key: string, supported: string): void {
  const found = fields.raw(key)
  if (typeof found === 'string' && found.split(':')[0]?.toLowerCase().includes(supported)) return
  fields.problem(
    key,
    `${shown(found)} is not supported; supported: names with "${supported}"`,
    'unsupported-model',
  )
}

function parseVision(fields: ConfigFields): VisionConfig {
  fields.only('model_type', 'siglip_vision_model')
  fields.only('attention_dropout', 0)
  const hidden = fields.integer('hidden_size', { minimum: 1, fallback: 768 })
  const heads = fields.integer('num_attention_heads', { minimum: 1, fallback: 12 })
  const imageSize = fields.integer('image_size', { minimum: 1, maximum: 2 ** 14, fallback: 224 })
  const patchSize = fields.integer('patch_size', { minimum: 1, fallback: 16 })
  if (hidden % heads) fields.problem('hidden_size', `must be a multiple of ${heads} heads, got ${hidden}`)
  if (imageSize < patchSize)
    fields.problem('image_size', `must hold a patch of ${patchSize}, got ${imageSize}`)
  return {
    hidden,
    heads,
    headSize: hidden / heads,
    imageSize,
    patchSize,
    tokens: Math.floor(imageSize / patchSize) ** 2,
    intermediate: fields.integer('intermediate_size', { minimum: 1, fallback: 3072 }),
    layers: fields.integer('num_hidden_layers', { ...layers, fallback: 12 }),
    channels: fields.oneOf('num_channels', [3], 3),
    normEpsilon: fields.number('layer_norm_eps', { minimum: 0, fallback: 1e-6 }),
    activation: fields.oneOf('hidden_act', ['gelu_pytorch_tanh', 'gelu'], 'gelu_pytorch_tanh'),
  }
}

function parseConnector(fields: ConfigFields, hidden: number): ConnectorConfig {
  const group = fields.integer('group', { minimum: 1, maximum: 2 ** 16 })
  const queries = fields.integer('num_queries', { minimum: 1, maximum: 2 ** 16 })
  if (queries < group)
    fields.problem('num_queries', `must be at least one for each of ${group} groups, got ${queries}`)
  const latents = Math.floor(queries / group)
  return {
    group,
    latents,
    queries: group * latents,
    layers: fields.integer('num_resampler_layers', { ...layers, fallback: 3 }),
    // The released module has these in its code, not in config.json.
    heads: 8,
    headSize: 64,
    intermediate: 4 * hidden,
    normEpsilon: 1e-5,
  }
}

function parseLanguage(fields: ConfigFields): LanguageConfig {
  fields.only('model_type', 'qwen2')
  fields.only('hidden_act', 'silu')
  fields.only('attention_dropout', 0)
  fields.only('use_sliding_window', false)
  checkLayerTypes(fields)
  const scaling = fields.object('rope_scaling')
  checkRope(scaling)
  const rope = fields.object('rope_parameters')
  checkRope(rope)
  const ropeTheta = thetaOf(fields, rope)
  // transformers 5 takes it from here, older versions from its own key: both must say the same
  scaling.only('rope_theta', ropeTheta)
  const hidden = fields.integer('hidden_size', { minimum: 1, fallback: 4096 })
  const heads = fields.integer('num_attention_heads', { minimum: 1, fallback: 32 })
  // Null means as many as query heads; a missing key means the library's default.
  const impliedKeyValueHeads = fields.isNull('num_key_value_heads') ? heads : 32
  const keyValueHeads = fields.integer('num_key_value_heads', { minimum: 1, fallback: impliedKeyValueHeads })
  if (heads % keyValueHeads) {
    fields.problem('num_key_value_heads', `must divide ${heads} query heads, got ${keyValueHeads}`)
  }
  const headSize = fields.integer('head_dim', { minimum: 1, fallback: Math.floor(hidden / heads) })
  if (headSize % 2) fields.problem('head_dim', `must be even to be rotated in pairs, got ${headSize}`)
  return {
    hidden,
    heads,
    keyValueHeads,
    headSize,
    intermediate: fields.integer('intermediate_size', { minimum: 1, fallback: 22016 }),
    layers: fields.integer('num_hidden_layers', { ...layers, fallback: 32 }),
    vocabulary: fields.integer('vocab_size', { minimum: 1, fallback: 151936 }),
    ropeTheta,
    normEpsilon: fields.number('rms_norm_eps', { minimum: 0, fallback: 1e-6 }),
    tied: fields.boolean('tie_word_embeddings', false),
    maxPositions: fields.integer('max_position_embeddings', { minimum: 1, fallback: 32768 }),
  }
}

const layers = { minimum: 1, maximum: 1000 }
const theta = { minimum: 1, maximum: 1e12 }

/** Rotary positions in both spellings of transformers (`type` before version 4.45, `rope_type` since): only the plain kind. */
function checkRope(rope: ConfigFields): void {
  rope.only('rope_type', 'default')
  rope.only('type', 'default')
  if (!rope.has('rope_type') && !rope.has('type')) rope.only('factor', 1)
  rope.only('partial_rotary_factor', 1)
  rope.only('mrope_section')
  for (const layer of ['full_attention', 'sliding_attention']) rope.only(layer)
}

function checkLayerTypes(fields: ConfigFields): void {
  const found = fields.raw('layer_types') ?? []
  if (Array.isArray(found) && found.every(type => type === 'full_attention')) return
  fields.problem(
    'layer_types',
    `${shown(found)} is not supported; every layer must be full_attention`,
    'unsupported-model',
  )
}

function thetaOf(fields: ConfigFields, rope: ConfigFields): number {
  return rope.has('rope_theta')
    ? rope.number('rope_theta', theta)
    : fields.number('rope_theta', { ...theta, fallback: 10000 })
}

function parseFeatureLayer(fields: ConfigFields, layers: number): number {
  const layer = fields.integer('vision_feature_layer', { minimum: -(layers + 1), fallback: -2 })
  if (layer > layers) fields.problem('vision_feature_layer', `must be at most ${layers}, got ${layer}`)
  return layer < 0 ? layers + 1 + layer : layer
}

function parseTokenIds(fields: ConfigFields, text: ConfigFields, vocabulary: number, tokens: TokenIds) {
  const stored = text.raw('eos_token_id') ?? tokens.eosId
  const eosIds: unknown[] = Array.isArray(stored) ? stored : [stored]
  for (const id of tokens.endIds ?? []) if (!eosIds.includes(id)) eosIds.push(id)
  const padText = fields.text('pad_token', '')
  const padId = fields.raw('pad_token_id') ?? tokens.idOf(padText) ?? eosIds[0]
  const isId = (id: unknown): id is number =>
    Number.isInteger(id) && Number(id) >= 0 && Number(id) < vocabulary
  if (!eosIds.every(isId) || eosIds.length === 0) {
    text.problem(
      'eos_token_id',
      `must be ids below ${vocabulary}, got ${shown(eosIds.length === 1 ? eosIds[0] : eosIds)}`,
    )
  }
  const { last } = tokens
  if (last && !isId(last.id)) {
    const rule = `must be more than every id of the tokenizer, but ${shown(last.token)} has ${last.id}`
    text.problem('vocab_size', `${rule}; got ${vocabulary}`)
  }
  if (!isId(padId)) fields.problem('pad_token_id', `must be an id below ${vocabulary}, got ${shown(padId)}`)
  return { eosIds: eosIds.filter(isId), padId: isId(padId) ? padId : 0 }
}
