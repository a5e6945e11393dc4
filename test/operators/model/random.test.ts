import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import modelRandom, { writeRandomCheckpoint } from '../../../operators/model/random.ts'
import { familyConfig } from '../../oracle/family.ts'

type RandomConfig = Parameters<typeof writeRandomCheckpoint>[1]

/** What the engine makes of a config with a folder only. */
const defaults = Object.fromEntries(
  Object.entries(modelRandom.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as RandomConfig // every field but the folder has a default

async function values(folder: string, name: string): Promise<number[]> {
  const all: number[] = []
  for await (const piece of (await openCheckpoint(folder)).read(name)) all.push(...piece)
  return all
}

t.test('the folder opens as a checkpoint with the sizes of its config', async t => {
  const folder = join(t.testdir(), 'deep/model')
  await writeRandomCheckpoint(folder, defaults)
  const { config, processor, tokenizer, tensors } = await openCheckpoint(folder)
  t.match(familyConfig(config), {
    vision: { layers: 3, featureLayer: 2, tokens: 16 },
    connector: { latents: 4 },
    language: { tied: true },
  })
  t.equal(processor.size, 56)
  t.same(config.eosIds, [tokenizer.eosId])
  t.equal(tensors.get('language_model.model.embed_tokens.weight')?.dtype, 'BF16')
})

t.test('matrices are scaled by their inputs, norms are one, biases zero', async t => {
  const folder = t.testdir()
  await writeRandomCheckpoint(folder, { ...defaults, dtype: 'float32' })
  const deviation = async (name: string) => {
    const all = await values(folder, name)
    return Math.sqrt(all.reduce((sum, value) => sum + value * value, 0) / all.length)
  }
  const cases = [
    ['language_model.model.layers.0.mlp.down_proj.weight', 1 / Math.sqrt(256)],
    ['language_model.model.embed_tokens.weight', 1 / Math.sqrt(96)],
    ['vision_tower._vision_tower.vision_model.embeddings.patch_embedding.weight', 1 / Math.sqrt(3 * 14 * 14)],
    ['connector._connector.latents', 1],
  ] as const
  for (const [name, expected] of cases) {
    const found = await deviation(name)
    t.ok(Math.abs(found / expected - 1) < 0.15, `${name}: ${found}`)
  }
  t.ok((await values(folder, 'language_model.model.norm.weight')).every(value => value === 1))
  t.ok(
    (await values(folder, 'language_model.model.layers.2.self_attn.q_proj.bias')).every(value => value === 0),
  )
})

t.test('the seed decides the bytes', async t => {
  const folder = t.testdir()
  const write = async (name: string, seed: number) => {
    await writeRandomCheckpoint(join(folder, name), { ...defaults, seed })
    return readFileSync(join(folder, name, 'model.safetensors'))
  }
  const one = await write('one', 1)
  t.ok(one.equals(await write('again', 1)))
  t.notOk(one.equals(await write('two', 2)))
})

t.test('sizes that do not fit together are refused before anything is written', async t => {
  const folder = join(t.testdir(), 'model')
  await t.rejects(writeRandomCheckpoint(folder, { ...defaults, heads: 5 }), /config.json: text_config.*heads/)
  await t.rejects(openCheckpoint(folder), { code: 'missing-file' })
})
