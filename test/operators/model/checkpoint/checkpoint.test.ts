import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { expectedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import { parse, problemsOf, type TinyOptions, tinyConfig, writeTiny } from './tiny-checkpoint.ts'

const vision = 'vision_tower._vision_tower.vision_model.'
const head = 'language_model.lm_head.weight'
const embedding = 'language_model.model.embed_tokens.weight'
const shard = (name: string) => (name.startsWith('language') ? 'model-2.safetensors' : 'model-1.safetensors')

async function values(chunks: AsyncIterable<Float32Array>): Promise<number[]> {
  const all: number[] = []
  for await (const chunk of chunks) all.push(...chunk)
  return all
}

for (const [what, options] of [
  ['one float32 file', {}],
  ['one bfloat16 file', { dtype: 'BF16' }],
  ['shards', { shard }],
] as [string, TinyOptions][]) {
  t.test(`${what}: every tensor of the model can be read`, async t => {
    const checkpoint = await openCheckpoint(await writeTiny(t, options))
    t.equal(checkpoint.tensors.size, expectedTensors(parse(tinyConfig)).size)
    t.match(checkpoint.tensors.get(embedding), { shape: [401, 6], dtype: options.dtype ?? 'F32' })
    t.strictSame(await values(checkpoint.read('language_model.model.norm.weight')), [0, 1, 2, 3, 4, 5])
    t.equal(checkpoint.tokenizer.eosId, 397)
    t.equal(checkpoint.processor.size, 9)
  })
}

t.test('additional tensors of released files are allowed and not offered', async t => {
  const extra = [
    `${vision}post_layernorm.bias`,
    `${vision}head.probe`,
    `${vision}encoder.layers.1.mlp.fc1.bias`,
    head,
  ]
  const folder = await writeTiny(t, {
    tensors: shapes => {
      for (const name of extra) shapes.set(name, [1])
    },
  })
  const checkpoint = await openCheckpoint(folder)
  for (const name of extra) t.notOk(checkpoint.tensors.has(name), name)
  t.throws(() => checkpoint.read(head), { code: 'missing-tensor' })
})

t.test('a tower to its last block needs that block, one to its embedding none', async t => {
  t.ok(
    expectedTensors(parse({ ...tinyConfig, vision_feature_layer: -1 })).has(
      `${vision}encoder.layers.1.mlp.fc1.bias`,
    ),
  )
  const names = [...expectedTensors(parse({ ...tinyConfig, vision_feature_layer: 0 })).keys()]
  t.notOk(names.some(name => name.includes('encoder')))
})

t.test('an untied head is part of the model', async t => {
  const config = { text_config: { ...tinyConfig.text_config, tie_word_embeddings: false } }
  const untied = await openCheckpoint(
    await writeTiny(t, { config, tensors: shapes => shapes.set(head, [401, 6]) }),
  )
  t.ok(untied.tensors.has(head))
  const folder = await writeTiny(t, { config })
  t.strictSame(await problemsOf(openCheckpoint(folder), folder), [
    { code: 'missing-tensor', message: `FOLDER: no tensor ${head} of shape (401, 6)` },
  ])
})

t.test('missing, misshapen and unknown tensors are listed together', async t => {
  const folder = await writeTiny(t, {
    tensors: shapes => {
      shapes.delete('connector._connector.norm.bias')
      shapes.set(embedding, [400, 6])
      shapes.set('connector._connector.layers.1.0.to_q.weight', [1])
      shapes.set(`${vision}encoder.layers.2.mlp.fc1.bias`, [1])
    },
  })
  t.strictSame(await problemsOf(openCheckpoint(folder), folder), [
    { code: 'missing-tensor', message: 'FOLDER: no tensor connector._connector.norm.bias of shape (6)' },
    {
      code: 'wrong-shape',
      message: `model.safetensors: tensor ${embedding}: config.json says shape (401, 6), got (400, 6)`,
    },
    {
      code: 'unknown-tensor',
      message:
        'model.safetensors: the model that config.json describes has no tensor connector._connector.layers.1.0.to_q.weight',
    },
    {
      code: 'unknown-tensor',
      message: `model.safetensors: the model that config.json describes has no tensor ${vision}encoder.layers.2.mlp.fc1.bias`,
    },
  ])
})

t.test('a tensor of integers is refused before anything is read', async t => {
  const folder = await writeTiny(t)
  const path = join(folder, 'model.safetensors')
  const bytes = await readFile(path)
  const at = bytes.indexOf('"F32"')
  bytes.write('"I32"', at)
  await writeFile(path, bytes)
  t.match(await problemsOf(openCheckpoint(folder), folder), [
    {
      code: 'unsupported-dtype',
      message:
        /^model.safetensors: tensor connector.*: dtype I32 cannot be read as weights; supported: F32, F16, BF16$/,
    },
  ])
})

t.test('a missing shard is named, and the faults of the others too', async t => {
  const folder = await writeTiny(t, { shard })
  await rm(join(folder, 'model-1.safetensors'))
  await writeFile(join(folder, 'model-2.safetensors'), 'no')
  const found = await problemsOf(openCheckpoint(folder), folder)
  t.strictSame(
    found.toSorted((a, b) => (a.message < b.message ? -1 : 1)),
    [
      {
        code: 'missing-file',
        message: 'model-1.safetensors: missing shard, named by model.safetensors.index.json',
      },
      {
        code: 'truncated-file',
        message: 'model-2.safetensors: truncated: 2 bytes, a header needs at least 8',
      },
    ],
  )
})

t.test('a name in two shards and a name in the wrong shard are errors', async t => {
  const folder = await writeTiny(t, { shard })
  await writeFile(join(folder, 'model-3.safetensors'), await readFile(join(folder, 'model-2.safetensors')))
  const path = join(folder, 'model.safetensors.index.json')
  const index = JSON.parse(await readFile(path, 'utf8'))
  index.weight_map['language_model.model.norm.weight'] = 'model-3.safetensors'
  index.weight_map['connector._connector.latents'] = 'model-2.safetensors'
  await writeFile(path, JSON.stringify(index))
  const found = await problemsOf(openCheckpoint(folder), folder)
  t.match(found, [
    {
      code: 'missing-tensor',
      message:
        'model-2.safetensors: no tensor connector._connector.latents, which model.safetensors.index.json places here',
    },
  ])
  index.weight_map['connector._connector.latents'] = 'model-1.safetensors'
  await writeFile(path, JSON.stringify(index))
  const twice = await problemsOf(openCheckpoint(folder), folder)
  t.equal(twice.length, 14)
  t.match(twice[0], {
    code: 'duplicate-tensor',
    message: /^model-[23].safetensors: tensor language_model.* is also in model-[23].safetensors$/,
  })
})

t.test('an index that names files elsewhere is refused', async t => {
  const folder = await writeTiny(t, { shard })
  const path = join(folder, 'model.safetensors.index.json')
  await writeFile(path, JSON.stringify({ weight_map: { a: '../model-1.safetensors' } }))
  t.strictSame(await problemsOf(openCheckpoint(folder), folder), [
    {
      code: 'bad-index',
      message:
        'model.safetensors.index.json: tensor a must name a file in the same folder, got "../model-1.safetensors"',
    },
  ])
  await writeFile(path, '{}')
  t.match(await problemsOf(openCheckpoint(folder), folder), [
    { code: 'bad-index', message: /weight_map must be an object$/ },
  ])
})

t.test('each file that is missing or malformed is named', async t => {
  const folder = await writeTiny(t)
  const open = () => problemsOf(openCheckpoint(folder), folder)
  await rm(join(folder, 'model.safetensors'))
  t.match(await open(), [
    { code: 'missing-file', message: /^FOLDER: no weights; it must hold model.safetensors or/ },
  ])
  await rm(join(folder, 'preprocessor_config.json'))
  t.strictSame(await open(), [{ code: 'missing-file', message: 'preprocessor_config.json: no such file' }])
  await rm(join(folder, 'tokenizer.json'))
  t.strictSame(await open(), [{ code: 'missing-file', message: 'tokenizer.json: no such file' }])
  await writeFile(join(folder, 'tokenizer.json'), '{}')
  t.match(await open(), [{ code: 'bad-config', message: /^tokenizer.json: cannot be used as a tokenizer: / }])
  await writeFile(join(folder, 'config.json'), '{')
  t.match(await open(), [{ code: 'bad-json', message: /^config.json: not JSON: / }])
  await rm(folder, { recursive: true })
  t.strictSame(await open(), [{ code: 'missing-file', message: 'config.json: no such file' }])
})

t.test('a processor of another image size is refused', async t => {
  const folder = await writeTiny(t, { processor: { size: 384 } })
  t.strictSame(await problemsOf(openCheckpoint(folder), folder), [
    {
      code: 'bad-config',
      message: "preprocessor_config.json: size: must be 9 by 9 as the vision tower's image_size, got 384",
    },
  ])
})
