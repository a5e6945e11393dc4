import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { withPlugins } from '../../../../engine/graph/plugins.ts'
import { openDevice } from '../../../../kernels/device/device.ts'
import { operators, parts, resources } from '../../../../operators/index.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { writeNewCheckpoint } from '../../../../operators/model/checkpoint/new-checkpoint.ts'
import { exportModel } from '../../../../operators/model/checkpoint/save-model.ts'
import model from '../../../../operators/model/model.ts'
import { outlineOf } from '../../../../operators/model/sizes.ts'
import { fixture, repository } from '../../../fixtures.ts'

const small = JSON.parse(await readFile(fixture('../../operators/model/configurations/small.json'), 'utf8'))

/** Loads a plugin with this code; its path. */
async function plugin(folder: string, code: string): Promise<string> {
  const kit = `${repository}/dist/operators/model/parts/kit.js`
  await writeFile(
    join(folder, 'tower.mjs'),
    `import { linear, parameter, siglip } from '${kit}'\nexport const api = 1\n${code}`,
  )
  const problem = { path: '--plugin ./tower.mjs' }
  const names = [{ name: './tower.mjs', folder, problem }]
  const { problems } = await withPlugins({ operators, resources, parts }, names)
  t.same(problems ?? [], [])
  return join(folder, 'tower.mjs')
}

/** A new checkpoint whose tower is this one. */
async function checkpointWith(folder: string, tower: string): Promise<string> {
  const config = join(folder, 'config.json')
  await writeFile(config, JSON.stringify({ ...small, vision_model_name_or_path: `me/${tower}` }))
  const path = join(folder, tower)
  const of = { config, tokenizer: fixture('prompts'), seed: 1, dtype: 'float32' } as const
  for await (const _ of writeNewCheckpoint(path, of));
  return path
}

t.test('a checkpoint with a part of a plugin says which, and is refused without it', async t => {
  const folder = t.testdir({})
  const tower = await plugin(
    folder,
    `export const parts = { towers: { 'shallow-siglip': { summary: 'One block.', parse: (fields, use) => siglip(fields, { ...use, layer: () => 1 }) } } }`,
  )
  const path = await checkpointWith(folder, 'shallow-siglip')
  const written = { parts: [{ table: 'towers', name: 'shallow-siglip', plugin: tower }] }
  t.same(JSON.parse(await readFile(join(path, 'parts.json'), 'utf8')), written)

  const device = await openDevice()
  t.teardown(() => device.close())
  const checkpoint = await openCheckpoint(path)
  const loaded = await loadModel(device, checkpoint, [])
  const saved = join(folder, 'saved')
  await exportModel(checkpoint, loaded, saved)
  loaded.weights.free()
  t.same(JSON.parse(await readFile(join(saved, 'parts.json'), 'utf8')), written, 'a saved model says it, too')

  // Without the plugin the shorter name, "siglip", would be taken, and other features computed.
  parts.towers.delete('shallow-siglip')
  const message = `${saved}: was written with "shallow-siglip" among the towers, which the plugin ${tower} has and no loaded one does: add --plugin ${tower}, or "${tower}" to "plugins" of the graph`
  await t.rejects(openCheckpoint(saved), { code: 'unsupported-model', message })
  t.throws(() => outlineOf({ path: saved, train: [], precision: 'float32' }), { message })
  await writeFile(join(saved, 'parts.json'), '{"parts": [1]}')
  await t.rejects(openCheckpoint(saved), {
    message: /parts\.json: must hold "parts", each with table, name and plugin/,
  })
})

t.test('flow check records the parts of plugins', async t => {
  const folder = t.testdir({})
  const tower = await plugin(
    folder,
    `const changed = record => (fields, use) => {
  const part = siglip(fields, use)
  const change = (pass, weights, pixels) => record(pass, weights, part.network.record(pass, weights, pixels))
  return { ...part, network: { ...part.network, record: change } }
}
const parse = {
  'nameless-siglip': changed((pass, weights, x) => linear(pass, x, parameter(weights, 'vision_tower.scale'))),
  'narrow-siglip': changed((pass, weights, x) => pass.output('half', [x.shape[0], x.shape[1] / 2], [x])),
  'right-siglip': changed((pass, weights, x) => x),
}
export const parts = { towers: Object.fromEntries(Object.entries(parse).map(([name, parse]) => [name, { summary: name, parse }])) }`,
  )
  const defaults = Object.fromEntries(
    Object.entries(model.config).map(([key, field]) => [key, 'default' in field ? field.default : undefined]),
  )
  const inspect = async (name: string) => {
    const path = await checkpointWith(folder, name)
    const config = { ...defaults, path } as Parameters<NonNullable<typeof model.inspect>>[0]
    return model.inspect?.(config, { parts: [], name: 'policy' } as never)
  }
  const cannot = (name: string) =>
    `${folder}/${name}: a pass cannot be recorded with "${name}" of towers in ${tower}: `
  await t.rejects(inspect('nameless-siglip'), {
    message: `${cannot('nameless-siglip')}no parameter vision_tower.scale`,
  })
  const { hidden_size: hidden } = small.vision_config
  await t.rejects(inspect('narrow-siglip'), {
    message: new RegExp(
      `a vision tower must give a tensor of shape \\([0-9]+, ${hidden}\\), gave \\([0-9]+, ${hidden / 2}\\)$`,
    ),
  })
  t.match(await inspect('right-siglip'), [/tensors in F32/])
})
