import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { packageFolder } from '../../../../engine/shared/package-folder.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { parseModelConfig } from '../../../../operators/model/checkpoint/config.ts'
import { initialBytes } from '../../../../operators/model/checkpoint/initial-weights.ts'
import {
  type NewCheckpoint,
  writeNewCheckpoint,
} from '../../../../operators/model/checkpoint/new-checkpoint.ts'
import { expectedTensors, storedTensors } from '../../../../operators/model/checkpoint/tensor-names.ts'
import type { WrittenFile } from '../../../../operators/model/checkpoint/write-shards.ts'

const small: NewCheckpoint = {
  config: 'builtin:configurations/small.json',
  tokenizer: 'builtin:tokenizer',
  seed: 1,
  dtype: 'bfloat16',
}

async function write(folder: string, of: Partial<NewCheckpoint> = {}): Promise<WrittenFile[]> {
  const files: WrittenFile[] = []
  for await (const file of writeNewCheckpoint(folder, { ...small, ...of })) files.push(file)
  return files
}

t.test('one file of weights opens as a checkpoint with everything that released ones store', async t => {
  const folder = join(t.testdir(), 'deep/model')
  const [file, ...rest] = await write(folder)
  t.same(rest, [])
  t.equal(file.path, join(folder, 'model.safetensors'))
  const checkpoint = await openCheckpoint(folder)
  t.equal(checkpoint.config.language.network.layers, 2)
  t.same(checkpoint.files[0].tensors.size, storedTensors(checkpoint.config).size)
  t.ok([...checkpoint.tensors.values()].every(({ dtype }) => dtype === 'BF16'))
  t.equal(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).torch_dtype, 'bfloat16')
})

t.test('shards hold what fits and an index names them all', async t => {
  const folder = t.testdir()
  const files = await write(folder, { shardBytes: 100_000, dtype: 'float16' })
  t.ok(files.length > 2)
  const { files: opened, tensors } = await openCheckpoint(folder)
  t.equal(opened.length, files.length)
  t.ok(readdirSync(folder).includes(`model-00001-of-0000${files.length}.safetensors`))
  for (const { tensors: held } of opened) {
    const bytes = [...held.values()].reduce((sum, { begin, end }) => sum + end - begin, 0)
    t.ok(bytes <= 100_000 || held.size === 1)
  }
  t.equal(tensors.get('connector._connector.latents')?.dtype, 'F16')
})

t.test('the seed decides the bytes, shards do not', async t => {
  const folder = t.testdir()
  const weights = async (name: string, of: Partial<NewCheckpoint>) => {
    await write(join(folder, name), of)
    const values: number[] = []
    for await (const piece of (await openCheckpoint(join(folder, name))).read(
      'language_model.model.embed_tokens.weight',
    ))
      values.push(...piece)
    return Buffer.from(Float32Array.from(values).buffer)
  }
  const one = await weights('one', { seed: 7 })
  t.ok(one.equals(await weights('again', { seed: 7, shardBytes: 50_000 })))
  t.notOk(one.equals(await weights('other', { seed: 8 })))
})

t.test('matrices have the variance of one over their inputs, past a piece and at an odd end', async t => {
  for (const shape of [
    [3, 5, 7],
    [2049, 1025],
  ]) {
    const fanIn = shape.slice(1).reduce((product, extent) => product * extent, 1)
    let [count, sum, squares] = [0, 0, 0]
    for (const bytes of initialBytes('a.weight', shape, 'F32', 1))
      for (const value of new Float32Array(bytes.slice().buffer)) {
        count++
        sum += value
        squares += value * value
      }
    t.equal(count, fanIn * shape[0])
    t.ok(Math.abs(sum / count) < 4 / Math.sqrt(count * fanIn), `mean ${sum / count}`)
    t.ok(Math.abs((squares / count) * fanIn - 1) < 8 / Math.sqrt(count), `variance ${squares / count}`)
  }
  const ones = [...initialBytes('norm.weight', [3], 'F32', 1)].flatMap(bytes => [
    ...new Float32Array(bytes.slice().buffer),
  ])
  t.same(ones, [1, 1, 1])
  t.same(
    [...initialBytes('head.in_proj_bias', [2], 'BF16', 1)].flatMap(bytes => [...bytes]),
    [0, 0, 0, 0],
  )
})

t.test('the released configuration has the released sizes', async t => {
  const path = join(packageFolder, 'operators/model/configurations/released.json')
  const config = parseModelConfig(path, JSON.parse(readFileSync(path, 'utf8')), {
    eosId: undefined,
    idOf: () => undefined,
  })
  const count = (shapes: Map<string, readonly number[]>) =>
    [...shapes.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0)
  t.equal(((count(storedTensors(config)) * 2) / 1e9).toFixed(2), '7.26')
  t.ok(count(expectedTensors(config)) < count(storedTensors(config)))
})

t.test(
  'a folder that holds a checkpoint, or a faulty configuration, is refused before anything is written',
  async t => {
    const folder = t.testdir()
    await write(folder)
    const before = readFileSync(join(folder, 'model.safetensors'))
    await t.rejects(write(folder, { seed: 2 }), { code: 'folder-in-use' })
    t.ok(readFileSync(join(folder, 'model.safetensors')).equals(before))
    const other = join(folder, 'other')
    mkdirSync(other)
    writeFileSync(join(folder, 'bad.json'), '{"architectures":["Other"]}')
    await t.rejects(write(other, { config: join(folder, 'bad.json') }), { code: 'unsupported-model' })
    t.same(readdirSync(other), [])
    await t.rejects(write(other, { config: join(folder, 'none.json') }), { code: 'missing-file' })
  },
)
