import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { streamsInBlocks } from '../../../../kernels/attention/pick-angles.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { featureShape } from '../../../../kernels/networks/shape.ts'
import { Recording } from '../../../../kernels/plan/recording.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import { configFields } from '../../../../operators/model/checkpoint/config-fields.ts'
import { writeNewCheckpoint } from '../../../../operators/model/checkpoint/new-checkpoint.ts'
import { expectedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import { timingOf } from '../../../../operators/model/moment-seconds.ts'
import { gridRotation } from '../../../../operators/model/parts/grid-tower.ts'
import { windowVit } from '../../../../operators/model/parts/window-vit.ts'
import { fixture } from '../../../fixtures.ts'
import { unitsTarget } from '../../../kernels/null-device.ts'

/** As the released 3B has it: keys of the language model beside the others. */
const published = {
  architectures: ['Qwen2_5_VLForConditionalGeneration'],
  attention_dropout: 0,
  eos_token_id: 151645,
  hidden_act: 'silu',
  hidden_size: 2048,
  image_token_id: 151655,
  intermediate_size: 11008,
  max_position_embeddings: 128000,
  max_window_layers: 70,
  model_type: 'qwen2_5_vl',
  num_attention_heads: 16,
  num_hidden_layers: 36,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_scaling: { mrope_section: [16, 24, 24], type: 'mrope' },
  rope_theta: 1e6,
  sliding_window: 32768,
  tie_word_embeddings: true,
  use_sliding_window: false,
  video_token_id: 151656,
  vision_config: {
    depth: 32,
    fullatt_block_indexes: [7, 15, 23, 31],
    hidden_act: 'silu',
    hidden_size: 1280,
    in_chans: 3,
    intermediate_size: 3420,
    num_heads: 16,
    out_hidden_size: 2048,
    patch_size: 14,
    spatial_merge_size: 2,
    spatial_patch_size: 14,
    temporal_patch_size: 2,
    tokens_per_second: 2,
    window_size: 112,
  },
  vocab_size: 151936,
}
const parse = (value: object) => parseModelConfig('c', value, { eosId: 0, idOf: () => undefined })
const vision = (fields: object) => ({
  ...published,
  vision_config: { ...published.vision_config, ...fields },
})

t.test('the published sizes have their numbers', async t => {
  const config = parse(published)
  const numbers = [...expectedTensors(config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0)
  t.equal(numbers, 3754622976, 'as many as the class of transformers has')
  t.same(config.language.network.streams, streamsInBlocks([16, 24, 24]))
  t.ok(config.language.network.tied && config.language.network.fastSteps)
  t.match(config.vision, { sizes: { window: 4, whole: [7, 15, 23, 31], positionsPerSecond: 2 } })
})

t.test('the keys of the language model may stand in an object of their own', async t => {
  const { vision_config, architectures, image_token_id, video_token_id, ...text } = published
  const rope = { rope_type: 'default', rope_theta: 1e6, mrope_section: [16, 24, 24] }
  const nested = {
    architectures,
    image_token_id,
    video_token_id,
    model_type: 'qwen2_5_vl',
    vision_config: { ...vision_config, model_type: 'qwen2_5_vl_vision' },
    text_config: {
      ...text,
      model_type: 'qwen2_5_vl_text',
      rope_scaling: undefined,
      rope_parameters: rope,
    },
  }
  t.same(JSON.stringify(parse(nested).language), JSON.stringify(parse(published).language))
})

t.test('tensors have the names of the files, and come back from them', async t => {
  const config = parse(published)
  const { names } = config
  const some = {
    'vision_tower._vision_tower.embeddings.patch_embedding.weight': 'visual.patch_embed.proj.weight',
    'vision_tower._vision_tower.encoder.layers.7.mlp.gate_proj.bias': 'visual.blocks.7.mlp.gate_proj.bias',
    'connector._connector.merger.norm.weight': 'visual.merger.ln_q.weight',
    'connector._connector.merger.linear_fc2.weight': 'visual.merger.mlp.2.weight',
    'language_model.model.layers.3.self_attn.q_proj.bias': 'model.layers.3.self_attn.q_proj.bias',
    'language_model.lm_head.weight': 'lm_head.weight',
  }
  for (const [own, stored] of Object.entries(some)) t.equal(names.stored(own), stored)
  const all = [...expectedTensors(config).keys()]
  t.same(
    all.map(name => names.own(names.stored(name))),
    all,
  )
})

t.test('plans assume frames of as many squares as a frame has at most', async t => {
  const { network } = parse(published).vision
  t.same(featureShape(network, [16, 3, network.imageSize, network.imageSize]), [8, 1, 28, 28, 5120])
})

t.test('seconds between moments are those of frames spread over the clip', async t => {
  const shape = { vision: parse(published).vision.network }
  const clip = { seconds: [0, 1, 7, 8], durationSeconds: 10 }
  t.same(timingOf({ shape }, clip), { momentSeconds: 5 })
  const square = { vision: { ...shape.vision, grid: undefined } } as unknown as typeof shape
  t.same(timingOf({ shape: square }, clip), {}, 'other models have none')
})

t.test('the base of the rotations of patches may be stated', async t => {
  const anglesOf = (fields: object) => {
    const recording = new Recording(unitsTarget)
    const sizes = windowVit(configFields('c', fields, [])).sizes
    const { sines } = gridRotation(recording, { ...sizes, hidden: 16, heads: 2 }, { rows: 2, columns: 2 }, 1)
    return [...(recording.constants.get(sines) ?? [])]
  }
  // two pairs by row, then two by column, of the patches of one square
  const of = (row: number, column: number, second: number) =>
    [row, row * second, column, column * second].map(angle => Math.fround(Math.sin(angle)))
  const all = (second: number) =>
    [of(0, 0, second), of(0, 1, second), of(1, 0, second), of(1, 1, second)].flat()
  t.same(anglesOf({}), all(10000 ** -0.5))
  t.same(anglesOf({ rope_parameters: { rope_type: 'axial', rope_theta: 400 } }), all(400 ** -0.5))
})

t.test('what has no arithmetic here is refused', async t => {
  for (const [value, message] of [
    [vision({ num_heads: 24 }), /hidden_size: must be a multiple of 4 · 24 heads/],
    [vision({ window_size: 20 }), /window_size: must be at least 28 pixels, a square, got 20/],
    [vision({ fullatt_block_indexes: [32] }), /fullatt_block_indexes: must be blocks from 0 to 31/],
    [vision({ out_hidden_size: 1024 }), /out_hidden_size: must be 2048/],
    [vision({ rope_parameters: { rope_type: 'linear' } }), /rope_type: "linear" is not supported/],
    [
      { ...published, rope_parameters: { rope_theta: 1e6 } },
      /rope_scaling: must not be beside rope_parameters, which transformers then does not read/,
    ],
    [vision({ hidden_act: 'gelu' }), /hidden_act: "gelu" is not supported/],
    [vision({ spatial_patch_size: 16 }), /spatial_patch_size: 16 is not supported/],
    [{ ...published, use_sliding_window: true }, /use_sliding_window: true is not supported/],
    [
      { ...published, rope_scaling: { type: 'mrope', mrope_section: [24, 20, 21] } },
      /mrope_section: must be three numbers of pairs, 64 in all/,
    ],
    [
      { ...published, rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24], mrope_interleaved: true } },
      /mrope_interleaved: true is not supported/,
    ],
  ] as const)
    t.throws(() => parse(value), message)
})

t.test('a new folder opens, and its frames keep their shape', async t => {
  const value = {
    ...vision({ hidden_size: 16, intermediate_size: 8, depth: 2, num_heads: 2, out_hidden_size: 16 }),
    hidden_size: 16,
    intermediate_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: 420,
    eos_token_id: 399,
    rope_scaling: { type: 'mrope', mrope_section: [2, 1, 1] },
  }
  value.vision_config.fullatt_block_indexes = [1]
  const [folder, config] = [join(t.testdir({}), 'new'), join(t.testdirName, 'config.json')]
  await writeFile(config, JSON.stringify(value))
  const of = { config, tokenizer: fixture('prompts'), seed: 1, dtype: 'float32' } as const
  for await (const _ of writeNewCheckpoint(folder, of));
  const { processor } = await openCheckpoint(folder)
  const shape = { unit: 28, step: 2, each: true, leastPixels: 4 * 784, mostPixels: 768 * 784 }
  t.same(processor.shape, shape)
  t.equal(processor.mean[0], 0.48145466)
  t.match(await readFile(join(folder, 'preprocessor_config.json'), 'utf8'), /Qwen2VLVideoProcessor/)
})
