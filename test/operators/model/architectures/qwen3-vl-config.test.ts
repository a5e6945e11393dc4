import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { featureShape } from '../../../../kernels/networks/shape.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import { writeNewCheckpoint } from '../../../../operators/model/checkpoint/new-checkpoint.ts'
import { expectedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import { modelSizes, outlineOf } from '../../../../operators/model/sizes.ts'
import { fixture } from '../../../fixtures.ts'

const published = {
  architectures: ['Qwen3VLForConditionalGeneration'],
  model_type: 'qwen3_vl',
  image_token_id: 151655,
  video_token_id: 151656,
  tie_word_embeddings: true,
  text_config: {
    model_type: 'qwen3_vl_text',
    attention_bias: false,
    eos_token_id: 151645,
    head_dim: 128,
    hidden_act: 'silu',
    hidden_size: 2048,
    intermediate_size: 6144,
    max_position_embeddings: 262144,
    num_attention_heads: 16,
    num_hidden_layers: 28,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-6,
    rope_scaling: { mrope_interleaved: true, mrope_section: [24, 20, 20], rope_type: 'default' },
    rope_theta: 5000000,
    tie_word_embeddings: true,
    vocab_size: 151936,
  },
  vision_config: {
    model_type: 'qwen3_vl',
    deepstack_visual_indexes: [5, 11, 17],
    depth: 24,
    hidden_act: 'gelu_pytorch_tanh',
    hidden_size: 1024,
    in_channels: 3,
    intermediate_size: 4096,
    num_heads: 16,
    num_position_embeddings: 2304,
    out_hidden_size: 2048,
    patch_size: 16,
    spatial_merge_size: 2,
    temporal_patch_size: 2,
  },
}
const larger = {
  ...published,
  text_config: {
    ...published.text_config,
    hidden_size: 2560,
    intermediate_size: 9728,
    num_attention_heads: 32,
    num_hidden_layers: 36,
  },
  vision_config: { ...published.vision_config, out_hidden_size: 2560 },
}
const parse = (value: object) => parseModelConfig('c', value, { eosId: 0, idOf: () => undefined })
const numbersOf = (value: object) =>
  [...expectedTensors(parse(value)).values()].reduce((sum, shape) => sum + sizeOf(shape), 0)

t.test('the published sizes have their numbers', async t => {
  t.equal(numbersOf(published), 2127532032)
  t.equal(numbersOf(larger), 4437815808)
})

t.test(
  'plans assume frames as large as the table of positions, and count their features by frame',
  async t => {
    const folder = t.testdir({ 'config.json': JSON.stringify(published) })
    const outline = outlineOf({ path: folder, train: [], precision: 'float16' })
    const { vision } = outline.shape
    t.equal(vision.imageSize, 768)
    const pixels = [16, 3, 768, 768]
    t.same(featureShape(vision, pixels), [8, 4, 24, 24, 4096])
    const { frameTokens = 0, visionHidden } = modelSizes(outline)
    t.equal(16 * frameTokens * (visionHidden ?? 0), sizeOf(featureShape(vision, pixels)))
  },
)

t.test('tensors have the names of the files, and come back from them', async t => {
  const config = parse(published)
  const { names } = config
  const some = {
    'vision_tower._vision_tower.embeddings.patch_embedding.weight': 'model.visual.patch_embed.proj.weight',
    'vision_tower._vision_tower.embeddings.position_embedding.weight': 'model.visual.pos_embed.weight',
    'vision_tower._vision_tower.encoder.layers.7.attn.qkv.bias': 'model.visual.blocks.7.attn.qkv.bias',
    'connector._connector.merger.linear_fc1.weight': 'model.visual.merger.linear_fc1.weight',
    'connector._connector.deepstack.2.norm.bias': 'model.visual.deepstack_merger_list.2.norm.bias',
    'language_model.model.layers.3.self_attn.q_norm.weight':
      'model.language_model.layers.3.self_attn.q_norm.weight',
    'language_model.lm_head.weight': 'lm_head.weight',
  }
  for (const [own, stored] of Object.entries(some)) t.equal(names.stored(own), stored)
  const all = [...expectedTensors(config).keys()]
  t.same(
    all.map(name => names.own(names.stored(name))),
    all,
  )
})

t.test('what has no arithmetic here is refused', async t => {
  const vision = (fields: object) => ({
    ...published,
    vision_config: { ...published.vision_config, ...fields },
  })
  const text = (fields: object) => ({ ...published, text_config: { ...published.text_config, ...fields } })
  for (const [value, message] of [
    [vision({ num_heads: 24 }), /hidden_size: must be a multiple of 4 · 24 heads/],
    [vision({ num_position_embeddings: 2300 }), /num_position_embeddings: must be the positions of a square/],
    [
      vision({ deepstack_visual_indexes: [11, 5] }),
      /deepstack_visual_indexes: must be blocks from 0 to 23 in rising/,
    ],
    [vision({ out_hidden_size: 1024 }), /out_hidden_size: must be 2048/],
    [vision({ in_channels: 4 }), /in_channels: 4 is not supported/],
    [text({ attention_bias: true }), /attention_bias: true is not supported/],
    [
      text({ rope_scaling: { mrope_section: [16, 24, 25] } }),
      /mrope_section: must be three numbers of pairs, 64 in all/,
    ],
    [text({ rope_scaling: { mrope_section: [24, 40] } }), /mrope_section: must be three numbers of pairs/],
    [text({ rope_scaling: { mrope_interleaved: false } }), /mrope_interleaved: false is not supported/],
  ] as const)
    t.throws(() => parse(value), message)
})

t.test('a new folder opens, and its frames keep their shape', async t => {
  const small = { hidden_size: 16, intermediate_size: 8, num_hidden_layers: 2, num_attention_heads: 2 }
  const value = {
    ...published,
    text_config: {
      ...published.text_config,
      ...small,
      head_dim: 8,
      num_key_value_heads: 1,
      vocab_size: 420,
      eos_token_id: 399,
      rope_scaling: { mrope_interleaved: true, mrope_section: [2, 1, 1] },
    },
    vision_config: {
      ...published.vision_config,
      hidden_size: 16,
      intermediate_size: 8,
      depth: 2,
      num_heads: 2,
      deepstack_visual_indexes: [0],
      out_hidden_size: 16,
      num_position_embeddings: 16,
    },
  }
  const [folder, config] = [join(t.testdir({}), 'new'), join(t.testdirName, 'config.json')]
  await writeFile(config, JSON.stringify(value))
  const of = { config, tokenizer: fixture('prompts'), seed: 1, dtype: 'float32' } as const
  for await (const _ of writeNewCheckpoint(folder, of));
  const { processor } = await openCheckpoint(folder)
  t.same(processor.shape, { unit: 32, step: 2, each: false, leastPixels: 4096, mostPixels: 24576 * 1024 })
  t.match(await readFile(join(folder, 'preprocessor_config.json'), 'utf8'), /Qwen3VLVideoProcessor/)
})
