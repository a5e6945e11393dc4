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
import { outlineOf } from '../../../../operators/model/sizes.ts'
import { fixture, repository } from '../../../fixtures.ts'

t.test('a checkpoint with a part of a plugin says which, and is refused without it', async t => {
  const folder = t.testdir({
    'tower.mjs': `import { siglip } from '${repository}/dist/operators/model/parts/kit.js'
export const api = 1
export const parts = { towers: { 'shallow-siglip': { summary: 'One block.', parse: (fields, use) => siglip(fields, { ...use, layer: () => 1 }) } } }
`,
  })
  const problem = { path: '--plugin ./tower.mjs' }
  const { problems = [] } = await withPlugins({ operators, resources, parts }, [
    { name: './tower.mjs', folder, problem },
  ])
  t.same(problems, [])
  const small = JSON.parse(await readFile(fixture('../../operators/model/configurations/small.json'), 'utf8'))
  const config = join(folder, 'config.json')
  await writeFile(config, JSON.stringify({ ...small, vision_model_name_or_path: 'me/shallow-siglip' }))
  const path = join(folder, 'new')
  const of = { config, tokenizer: fixture('prompts'), seed: 1, dtype: 'float32' } as const
  for await (const _ of writeNewCheckpoint(path, of));
  const plugin = join(folder, 'tower.mjs')
  const written = { parts: [{ table: 'towers', name: 'shallow-siglip', plugin }] }
  t.same(JSON.parse(await readFile(join(path, 'parts.json'), 'utf8')), written)

  const device = await openDevice()
  t.teardown(() => device.close())
  const checkpoint = await openCheckpoint(path)
  const model = await loadModel(device, checkpoint, [])
  const saved = join(folder, 'saved')
  await exportModel(checkpoint, model, saved)
  model.weights.free()
  t.same(JSON.parse(await readFile(join(saved, 'parts.json'), 'utf8')), written, 'a saved model says it, too')

  // Without the plugin the shorter name, "siglip", would be taken, and other features computed.
  parts.towers.delete('shallow-siglip')
  const message = `${saved}: was written with "shallow-siglip" among the towers, which the plugin ${plugin} has and no loaded one does: add --plugin ${plugin}, or "${plugin}" to "plugins" of the graph`
  await t.rejects(openCheckpoint(saved), { code: 'unsupported-model', message })
  t.throws(() => outlineOf({ path: saved, train: [], precision: 'float32' }), { message })
  await writeFile(join(saved, 'parts.json'), '{"parts": [1]}')
  await t.rejects(openCheckpoint(saved), {
    message: /parts\.json: must hold "parts", each with table, name and plugin/,
  })
})
