// The layout of InternVL's authors holds the same numbers as that of transformers: names as convert_internvl_weights_to_hf.py of
// transformers renames them, with queries, keys and values in one matrix.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { encodeFrames, promptStates } from '../../../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { openSafetensors, readTensor } from '../../../../operators/model/files/safetensors.ts'
import { type TensorToWrite, writeSafetensors } from '../../../../operators/model/files/safetensors-write.ts'
import { fixture } from '../../../fixtures.ts'
import { close, noise } from '../../../kernels/support.ts'

const device = await openDevice()
t.teardown(() => device.close())

const renamed = (name: string): string =>
  name
    .replace('multi_modal_projector.layer_norm', 'mlp1.0')
    .replace('multi_modal_projector.linear_1', 'mlp1.1')
    .replace('multi_modal_projector.linear_2', 'mlp1.3')
    .replace('vision_tower.encoder.layer.', 'vision_model.encoder.layers.')
    .replace('vision_tower.', 'vision_model.')
    .replace('patch_embeddings.projection', 'patch_embedding')
    .replace('cls_token', 'class_embedding')
    .replace('position_embeddings', 'position_embedding')
    .replace('lambda_', 'ls')
    .replace('attention.projection_layer', 'attn.proj')
    .replace('layernorm_before', 'norm1')
    .replace('layernorm_after', 'norm2')

/** The fixture as its authors would store it. */
async function chatFolder(folder: string): Promise<string> {
  const native = fixture('families/internvl')
  await mkdir(folder)
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
    await copyFile(join(native, name), join(folder, name))
  const { vision_config: vision, text_config: text } = JSON.parse(
    await readFile(join(native, 'config.json'), 'utf8'),
  )
  const config = {
    architectures: ['InternVLChatModel'],
    model_type: 'internvl_chat',
    downsample_ratio: 0.5,
    ps_version: 'v2',
    template: 'internvl2_5',
    llm_config: text,
    vision_config: {
      ...vision,
      model_type: 'intern_vit_6b',
      image_size: vision.image_size[0],
      patch_size: vision.patch_size[0],
      qkv_bias: true,
      qk_normalization: false,
    },
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const file = await openSafetensors(join(native, 'model.safetensors'))
  const read = async (name: string) => {
    const all: number[] = []
    for await (const chunk of readTensor(file, name)) all.push(...chunk)
    return all
  }
  const tensors: TensorToWrite[] = []
  for (const [name, { shape }] of file.tensors) {
    if (/attention\.[kv]_proj/.test(name)) continue
    const isQuery = name.includes('vision_tower') && name.includes('attention.q_proj')
    const names = isQuery ? ['q', 'k', 'v'].map(part => name.replace('q_proj', `${part}_proj`)) : [name]
    const values = (await Promise.all(names.map(read))).flat()
    const stored = isQuery ? renamed(name).replace('attention.q_proj', 'attn.qkv') : renamed(name)
    const [first = 0, ...rest] = shape
    const extents = [first * names.length, ...rest]
    tensors.push({ name: stored, shape: extents, dtype: 'F32', chunks: [Float32Array.from(values)] })
  }
  await writeSafetensors(join(folder, 'model.safetensors'), tensors)
  return folder
}

t.test('both layouts give the same features and logits', async t => {
  const folders = [fixture('families/internvl'), await chatFolder(join(t.testdir({}), 'chat'))]
  const pixels = device.tensor('pixels', [2, 3, 25, 25], 'f32', noise(2 * 3 * 25 ** 2))
  const [native, chat] = await Promise.all(
    folders.map(async folder => {
      const model = await loadModel(device, await openCheckpoint(folder), [])
      const features = await encodeFrames(model, pixels)
      const { logits } = await promptStates(model, { ids: [5, -200, 6, -200, 7], features })
      return { features: await device.read(features), logits, template: model.config.template }
    }),
  )
  t.same([native?.template, chat?.template], ['internvl', 'internvl_chat'])
  close(t, chat?.features ?? [], native?.features ?? [], 1e-6, 'features')
  close(t, chat?.logits ?? [], native?.logits ?? [], 1e-6, 'logits')
})
