import t from 'tap'
import type { CheckpointError } from '../../../../operators/model/files/checkpoint-error.ts'
import { familyConfig } from '../../../oracle/family.ts'
import { parse, tinyConfig } from './tiny-checkpoint.ts'

const { text_config: text, vision_config: vision } = tinyConfig
const sizesOf = (value: unknown) => familyConfig(parse(value))
const withText = (changes: object) => ({ ...tinyConfig, text_config: { ...text, ...changes } })
const withVision = (changes: object) => ({ ...tinyConfig, vision_config: { ...vision, ...changes } })

t.test('keys that the library leaves out take its defaults', async t => {
  t.match(sizesOf({ ...tinyConfig, text_config: {}, vision_config: {} }), {
    language: {
      hidden: 4096,
      intermediate: 22016,
      layers: 32,
      heads: 32,
      keyValueHeads: 32,
      headSize: 128,
      vocabulary: 151936,
      ropeTheta: 10000,
      normEpsilon: 1e-6,
      tied: false,
      maxPositions: 32768,
    },
    vision: {
      hidden: 768,
      intermediate: 3072,
      layers: 12,
      heads: 12,
      headSize: 64,
      imageSize: 224,
      patchSize: 16,
      channels: 3,
      tokens: 196,
      normEpsilon: 1e-6,
      activation: 'gelu_pytorch_tanh',
    },
    eosIds: [397],
    padId: 397,
    imageAspectRatio: 'square',
  })
})

t.test('the released sizes', async t => {
  const released = {
    ...tinyConfig,
    group: 16,
    num_queries: 512,
    num_resampler_layers: 3,
    text_config: {
      hidden_size: 2048,
      intermediate_size: 11008,
      num_hidden_layers: 36,
      num_attention_heads: 16,
      num_key_value_heads: 2,
      rope_theta: 1000000,
      tie_word_embeddings: true,
    },
    vision_config: {
      hidden_size: 1152,
      intermediate_size: 4304,
      num_hidden_layers: 27,
      num_attention_heads: 16,
      image_size: 384,
      patch_size: 14,
    },
  }
  const config = sizesOf(released)
  t.match(config.vision, { headSize: 72, tokens: 729 })
  t.match(config.connector, {
    latents: 32,
    queries: 512,
    heads: 8,
    headSize: 64,
    intermediate: 8192,
    normEpsilon: 1e-5,
  })
  t.match(config.language, { headSize: 128, ropeTheta: 1e6, tied: true })
  t.equal(config.vision.featureLayer, 26)
})

t.test('the feature layer counts hidden states from either end', async t => {
  for (const [layer, expected] of [
    [-1, 2],
    [-2, 1],
    [-3, 0],
    [0, 0],
    [1, 1],
    [2, 2],
  ] as const) {
    t.equal(sizesOf({ ...tinyConfig, vision_feature_layer: layer }).vision.featureLayer, expected, `${layer}`)
  }
})

t.test('queries that the groups do not divide are rounded down', async t => {
  t.match(sizesOf(tinyConfig).connector, { groups: 3, latents: 2, queries: 6 })
})

t.test('head size, rope and key-value heads as newer and older libraries write them', async t => {
  t.equal(sizesOf(withText({ head_dim: 10 })).language.headSize, 10)
  t.equal(
    sizesOf(withText({ rope_parameters: { rope_type: 'default', rope_theta: 5e5 } })).language.ropeTheta,
    5e5,
  )
  t.equal(sizesOf(withText({ num_key_value_heads: null })).language.keyValueHeads, 3)
})

t.test('ends of text may be several, and the pad id its own', async t => {
  const { eosIds, padId } = parse({ ...withText({ eos_token_id: [3, 4] }), pad_token_id: 9 })
  t.strictSame([eosIds, padId], [[3, 4], 9])
})

const faults: [config: object, code: string, message: string][] = [
  [
    { ...tinyConfig, architectures: ['LlavaForConditionalGeneration'] },
    'unsupported-model',
    'architectures: ["LlavaForConditionalGeneration"] is not supported; supported: TinyLlavaForConditionalGeneration, SmolVLMForConditionalGeneration, InternVLForConditionalGeneration, InternVLChatModel, Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration; a plugin adds others (--plugin FILE)',
  ],
  [
    { ...tinyConfig, model_type: 'llava' },
    'unsupported-model',
    'model_type: "llava" is not supported; supported: tinyllava',
  ],
  [{ ...tinyConfig, model_type: null }, 'unsupported-model', 'model_type: missing; supported: tinyllava'],
  [
    { ...tinyConfig, connector_type: 'mlp2x_gelu' },
    'unsupported-model',
    'connector_type: "mlp2x_gelu" is not supported; supported: names with "groupresampler" or "naiveresampler" or "pixelshuffle" or "pixelshufflemlp"; a plugin adds others (--plugin FILE)',
  ],
  [
    { ...tinyConfig, llm_model_name_or_path: 'microsoft/phi-2' },
    'unsupported-model',
    'llm_model_name_or_path: "microsoft/phi-2" is not supported; supported: names with "qwen2" or "qwen3" or "llama"; a plugin adds others (--plugin FILE)',
  ],
  [
    { ...tinyConfig, vision_model_name_or_path: 'openai/clip-vit:siglip' },
    'unsupported-model',
    'vision_model_name_or_path: "openai/clip-vit:siglip" is not supported; supported: names with "siglip" or "internvit"; a plugin adds others (--plugin FILE)',
  ],
  [
    withText({ model_type: 'llama' }),
    'unsupported-model',
    'text_config.model_type: "llama" is not supported; it must be absent or "qwen2"',
  ],
  [
    withText({ hidden_act: 'gelu' }),
    'unsupported-model',
    'text_config.hidden_act: "gelu" is not supported; it must be absent or "silu"',
  ],
  [
    withText({ use_sliding_window: true }),
    'unsupported-model',
    'text_config.use_sliding_window: true is not supported; it must be absent or false',
  ],
  [
    withText({ rope_scaling: { factor: 2 } }),
    'unsupported-model',
    'text_config.rope_scaling.factor: 2 is not supported; it must be absent or 1',
  ],
  [
    withText({ partial_rotary_factor: 0.5 }),
    'unsupported-model',
    'text_config.partial_rotary_factor: 0.5 is not supported; it must be absent or 1',
  ],
  [
    withText({ num_key_value_heads: 2 }),
    'bad-config',
    'text_config.num_key_value_heads: must divide 3 query heads, got 2',
  ],
  [
    withText({ head_dim: 3 }),
    'bad-config',
    'text_config.head_dim: must be even to be rotated in pairs, got 3',
  ],
  [
    withText({ hidden_size: 'six' }),
    'bad-config',
    'text_config.hidden_size: must be an integer of at least 1, got "six"',
  ],
  [withText({ eos_token_id: 500 }), 'bad-config', 'text_config.eos_token_id: must be ids below 401, got 500'],
  [
    withVision({ hidden_act: 'relu' }),
    'unsupported-model',
    'vision_config.hidden_act: "relu" is not supported; supported: gelu_pytorch_tanh, gelu',
  ],
  [
    withVision({ num_attention_heads: 4 }),
    'bad-config',
    'vision_config.hidden_size: must be a multiple of 4 heads, got 6',
  ],
  [withVision({ patch_size: 10 }), 'bad-config', 'vision_config.image_size: must hold a patch of 10, got 9'],
  [{ ...tinyConfig, vision_config: 3 }, 'bad-config', 'vision_config: must be an object, got 3'],
  [{ ...tinyConfig, group: undefined }, 'bad-config', 'group: must be an integer of at least 1, got nothing'],
  [
    { ...tinyConfig, group: 8 },
    'bad-config',
    'num_queries: must be at least one for each of 8 groups, got 7',
  ],
  [
    { ...tinyConfig, vision_feature_layer: 3 },
    'bad-config',
    'vision_feature_layer: must be at most 2, got 3',
  ],
  [
    { ...tinyConfig, vision_feature_layer: -4 },
    'bad-config',
    'vision_feature_layer: must be an integer of at least -3, got -4',
  ],
  [
    { ...tinyConfig, vision_feature_select_strategy: 'full' },
    'unsupported-model',
    'vision_feature_select_strategy: "full" is not supported; supported: patch, cls_patch',
  ],
]

for (const [config, code, message] of faults) {
  t.test(`refused: ${message}`, async t => {
    try {
      parse(config)
      t.fail('accepted')
    } catch (error) {
      // The only error that the parser throws.
      const { problems } = error as CheckpointError
      t.ok(
        problems.some(problem => problem.code === code && problem.message === `config.json: ${message}`),
        problems.map(problem => problem.message).join('\n'),
      )
    }
  })
}

t.test('all faults of a file are told together', async t => {
  t.throws(() => parse({ ...withText({ head_dim: 3, hidden_act: 'gelu' }), group: 0 }), {
    message: /hidden_act.*\n.*head_dim.*\n.*group/,
  })
  t.throws(() => parse([]), { message: 'config.json: must hold an object' })
})
