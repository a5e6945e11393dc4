import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { startRun } from '../../../engine/run/run.ts'
import { operators, resources } from '../../../operators/index.ts'
import { type Checkpoint, openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { openSafetensors, readTensor } from '../../../operators/model/files/safetensors.ts'
import { repository } from '../../fixtures.ts'
import { familyConfig } from '../../oracle/family.ts'
import { writeTensors } from '../../oracle/write-tensors.ts'
import { smallCheckpoint } from '../trajectory.ts'

const folder = t.testdir({})
const whole = await smallCheckpoint(join(folder, 'whole'))
const [vision, language] = [join(folder, 'siglip'), join(folder, 'qwen2')]
await takeApart(whole)

let runs = 0
/** Runs graphs/assemble.json. */
async function assemble(name: string, set: readonly string[] = []) {
  const out = join(folder, name)
  const given = [`vision=${vision}`, `language=${language}`, `folder=${out}`, 'group=3', 'queries=7', ...set]
  const plan = loadGraph(join(repository, 'graphs/assemble.json'), { operators, resources }, { set: given })
  const { status, error } = await startRun(plan, { seed: 0, directory: join(folder, `run-${++runs}`) }).done
  return { status, error, out }
}

t.test('two folders and a new connector become a checkpoint that the first stage learns from', async t => {
  const { status, error, out } = await assemble('model', ['nodes.model.config.dtype=float32'])
  t.equal(status, 'completed', error?.message ?? '')
  const made = await openCheckpoint(out)
  for (const name of whole.tensors.keys()) {
    const values = await valuesOf(made, name)
    if (!name.startsWith('connector.')) {
      t.same(values, await valuesOf(whole, name), name)
      continue
    }
    const size = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)
    const isVector = made.tensors.get(name)?.shape.length === 1
    const wanted = isVector ? Number(!name.endsWith('bias')) : name.endsWith('latents') ? 1 : 0.02
    t.ok(Math.abs(size - wanted) <= 0.25 * wanted, `${name}: ${size}`)
  }
  const [found, wanted] = [familyConfig(made.config), familyConfig(whole.config)]
  t.same(found.language, wanted.language)
  t.same(found.vision, wanted.vision)
  t.match(found.connector, { groups: 3, queries: 6, layers: 3 })
  // The pooling head that the folder has and nothing computes with is kept, the other half of SigLIP is not.
  const stored = await openSafetensors(join(out, 'model.safetensors'))
  t.ok(stored.tensors.has('vision_tower._vision_tower.vision_model.head.probe'))
  t.notOk([...stored.tensors.keys()].some(name => name.includes('text_model')))
})

t.test('all that a folder lacks is listed, and nothing is written', async t => {
  const path = join(language, 'model.safetensors')
  const kept = await readFile(path)
  await writeTensors(path, [{ name: 'model.norm.weight', shape: [3], data: [1, 2, 3] }], 'F32')
  const { status, error, out } = await assemble('nothing')
  await writeFile(path, kept)
  t.equal(status, 'failed')
  t.match(
    error?.message,
    /qwen2\/model\.safetensors: tensor model\.norm\.weight must be floats of shape \(18\), got F32 \(3\)/,
  )
  t.match(error?.message, /qwen2: no tensor model\.embed_tokens\.weight \(401, 18\)/)
  await t.rejects(readFile(join(out, 'config.json')), { code: 'ENOENT' })
})

t.test('a folder that holds a checkpoint is left alone', async t => {
  const { status, error } = await assemble('model')
  t.equal(status, 'failed')
  t.match(error?.message, /already exists/)
})

/** As the two models are published: SigLIP with the half that reads text, Qwen2 with its tokenizer. */
async function takeApart({ folder: from }: Checkpoint) {
  const file = await openSafetensors(join(from, 'model.safetensors'))
  const json = JSON.parse(await readFile(join(from, 'config.json'), 'utf8'))
  for (const [to, prefix, config] of [
    [vision, 'vision_tower._vision_tower.', { model_type: 'siglip', vision_config: json.vision_config }],
    [language, 'language_model.', json.text_config],
  ] as const) {
    await mkdir(to, { recursive: true })
    await writeFile(join(to, 'config.json'), JSON.stringify(config))
    const tensors = []
    for (const [name, { shape }] of file.tensors) {
      if (!name.startsWith(prefix)) continue
      const data: number[] = []
      for await (const piece of readTensor(file, name)) data.push(...piece)
      tensors.push({ name: name.slice(prefix.length), shape, data })
    }
    if (to === vision) tensors.push({ name: 'text_model.final_layer_norm.bias', shape: [2], data: [1, 2] })
    await writeTensors(join(to, 'model.safetensors'), tensors, 'F32')
  }
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
    await copyFile(join(from, name), join(language, name))
  await copyFile(join(from, 'preprocessor_config.json'), join(vision, 'preprocessor_config.json'))
}

async function valuesOf(checkpoint: Checkpoint, name: string): Promise<number[]> {
  const values: number[] = []
  for await (const piece of checkpoint.read(name)) values.push(...piece)
  return values
}
