import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import { configFields } from '../../../../operators/model/checkpoint/config-fields.ts'
import { writeNewCheckpoint } from '../../../../operators/model/checkpoint/new-checkpoint.ts'
import { expectedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import type { CheckpointProblem } from '../../../../operators/model/files/checkpoint-error.ts'
import { internVit } from '../../../../operators/model/parts/internvit.ts'
import type { TowerUse } from '../../../../operators/model/parts/part.ts'
import { fixture } from '../../../fixtures.ts'

const text = {
  model_type: 'qwen2',
  hidden_size: 896,
  intermediate_size: 4864,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  vocab_size: 151674,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  rope_scaling: { factor: 2, rope_type: 'dynamic', type: 'dynamic' },
  max_position_embeddings: 32768,
  eos_token_id: 151645,
  use_sliding_window: false,
}
const native = {
  architectures: ['InternVLForConditionalGeneration'],
  model_type: 'internvl',
  downsample_ratio: 0.5,
  image_seq_length: 256,
  image_token_id: 151667,
  projector_hidden_act: 'gelu',
  vision_feature_layer: -1,
  vision_feature_select_strategy: 'default',
  text_config: text,
  vision_config: {
    model_type: 'internvl_vision',
    attention_bias: true,
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    image_size: [448, 448],
    patch_size: [14, 14],
    layer_norm_eps: 1e-6,
    norm_type: 'layer_norm',
    use_mean_pooling: true,
    use_qk_norm: false,
  },
}
const chat = {
  architectures: ['InternVLChatModel'],
  model_type: 'internvl_chat',
  downsample_ratio: 0.5,
  force_image_size: 448,
  ps_version: 'v2',
  select_layer: -1,
  template: 'internvl2_5',
  llm_config: { ...text, tie_word_embeddings: false },
  vision_config: {
    model_type: 'intern_vit_6b',
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    image_size: 448,
    patch_size: 14,
    norm_type: 'layer_norm',
    qk_normalization: false,
    qkv_bias: true,
  },
}
const parse = (value: object) => parseModelConfig('c', value, { eosId: 0, idOf: () => undefined })

t.test(
  'the published 1B has its 938 million numbers, and 256 visual tokens for a frame, in both layouts',
  async t => {
    for (const value of [native, chat]) {
      const config = parse(value)
      const numbers = [...expectedTensors(config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0)
      t.equal(numbers, 938193024)
      t.equal(config.connector.network.visualTokens(config.vision.network.frameTokens), 256)
      t.same(config.eosIds, [151645])
    }
  },
)

t.test('tensors have the names of each layout, and come back from them', async t => {
  for (const [value, some] of [
    [
      native,
      {
        'vision_tower._vision_tower.embeddings.cls_token': 'vision_tower.embeddings.cls_token',
        'vision_tower._vision_tower.encoder.layers.3.lambda_1': 'vision_tower.encoder.layer.3.lambda_1',
        'connector._connector.linear_2.bias': 'multi_modal_projector.linear_2.bias',
        'language_model.model.norm.weight': 'language_model.model.norm.weight',
        'language_model.lm_head.weight': 'language_model.lm_head.weight',
      },
    ],
    [
      chat,
      {
        'vision_tower._vision_tower.embeddings.cls_token': 'vision_model.embeddings.class_embedding',
        'vision_tower._vision_tower.embeddings.position_embeddings':
          'vision_model.embeddings.position_embedding',
        'vision_tower._vision_tower.embeddings.patch_embeddings.projection.bias':
          'vision_model.embeddings.patch_embedding.bias',
        'vision_tower._vision_tower.encoder.layers.3.attention.qkv.weight':
          'vision_model.encoder.layers.3.attn.qkv.weight',
        'vision_tower._vision_tower.encoder.layers.3.attention.projection_layer.bias':
          'vision_model.encoder.layers.3.attn.proj.bias',
        'vision_tower._vision_tower.encoder.layers.3.layernorm_after.bias':
          'vision_model.encoder.layers.3.norm2.bias',
        'vision_tower._vision_tower.encoder.layers.3.lambda_2': 'vision_model.encoder.layers.3.ls2',
        'connector._connector.linear_2.bias': 'mlp1.3.bias',
        'language_model.lm_head.weight': 'language_model.lm_head.weight',
      },
    ],
  ] as const) {
    const { names, ...config } = parse(value)
    for (const [own, stored] of Object.entries(some)) t.equal(names.stored(own), stored)
    const all = [...expectedTensors({ names, ...config }).keys()]
    t.same(
      all.map(name => names.own(names.stored(name))),
      all,
    )
  }
})

t.test('what has no arithmetic here is refused', async t => {
  const vision = {
    ...native.vision_config,
    use_qk_norm: true,
    norm_type: 'rms_norm',
    attention_bias: undefined,
  }
  t.throws(
    () => parse({ ...native, vision_config: vision }),
    /attention_bias: false.*use_qk_norm: true.*norm_type/s,
  )
  t.throws(
    () => parse({ ...native, vision_config: { image_size: [448, 224] } }),
    /image_size: must be the pixels of the side/,
  )
  t.throws(
    () => parse({ ...native, downsample_ratio: 0.3 }),
    /downsample_ratio: must be 1 of a divisor of 32 patches/,
  )
  t.throws(() => parse({ ...chat, ps_version: 'v1' }), /ps_version: "v1" is not supported/)
  t.throws(
    () => parse({ ...chat, vision_config: { model_type: 'intern_vit_6b' } }),
    /qk_normalization: true is not supported/,
  )
})

t.test('TinyLLaVA takes the tower only if it wants its last block', async t => {
  const fields = configFields('v: ', native.vision_config, [])
  const last = { modelTypes: [], layer: (layers: number) => layers, select: 'patch', normed: false } as const
  const faults = (use: TowerUse) => {
    const problems: CheckpointProblem[] = []
    internVit(configFields('v: ', native.vision_config, problems), use)
    return problems.length
  }
  t.equal(internVit(fields, last).network.blocks, 24)
  t.same([faults(last), faults({ ...last, layer: layers => layers - 1 })], [0, 1])
  t.same([faults({ ...last, select: 'cls_patch' }), faults({ ...last, normed: true })], [1, 1])
})

t.test('a head is tied only where both places say so', async t => {
  const tied = (whole: boolean | undefined, part: boolean | undefined) =>
    parse({ ...native, tie_word_embeddings: whole, text_config: { ...text, tie_word_embeddings: part } })
      .language.network.tied
  t.same(
    [tied(undefined, undefined), tied(true, false), tied(false, true), tied(true, true)],
    [false, false, false, true],
  )
})

t.test(
  'a new folder of each layout opens, and its frames are prepared by what transformers looks at first',
  async t => {
    const small = { hidden_size: 16, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 2 }
    const words = { ...text, ...small, num_key_value_heads: 1, vocab_size: 420, eos_token_id: 399 }
    const side = { image_size: 12, patch_size: 3 }
    for (const [value, name] of [
      [
        { ...native, text_config: words, vision_config: { ...native.vision_config, ...small, ...side } },
        'native',
      ],
      [
        {
          ...chat,
          force_image_size: 12,
          llm_config: words,
          vision_config: { ...chat.vision_config, ...small, ...side },
        },
        'chat',
      ],
    ] as const) {
      const [folder, config] = [join(t.testdir({}), name), join(t.testdirName, `${name}.json`)]
      await writeFile(config, JSON.stringify(value))
      const of = { config, tokenizer: fixture('prompts'), seed: 1, dtype: 'float32' } as const
      for await (const _ of writeNewCheckpoint(folder, of));
      const imagenet = [0.485, 0.456, 0.406]
      t.same((await openCheckpoint(folder)).processor.mean, imagenet)
      const file = JSON.parse(await readFile(join(folder, 'preprocessor_config.json'), 'utf8'))
      const changed = {
        ...file,
        image_processor_type: undefined,
        video_processor_type: 'InternVLVideoProcessor',
      }
      const write = (name: string, value: unknown) => writeFile(join(folder, name), JSON.stringify(value))
      const means = async () => (await openCheckpoint(folder)).processor.mean
      await write('video_preprocessor_config.json', { ...changed, image_mean: 0.25 })
      t.same(await means(), name === 'chat' ? imagenet : [0.25, 0.25, 0.25])
      await write('processor_config.json', { image_seq_length: 4 })
      t.same(await means(), name === 'chat' ? imagenet : [0.25, 0.25, 0.25])
      await write('processor_config.json', { video_processor: { ...changed, image_mean: 0.75 } })
      t.same(await means(), name === 'chat' ? imagenet : [0.75, 0.75, 0.75])
    }
  },
)
