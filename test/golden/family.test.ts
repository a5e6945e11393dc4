import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../kernels/device/device.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../operators/model/checkpoint/load-model.ts'
import { saveModel } from '../../operators/model/checkpoint/save-model.ts'
import { openSafetensors } from '../../operators/model/files/safetensors.ts'
import { fixture } from '../fixtures.ts'
import { onEachFamily } from '../kernels/support.ts'
import { checkFamily, checkProcessor } from './family.ts'

const device = await openDevice()
t.teardown(() => device.close())

await onEachFamily(t, async (device, t) => {
  for (const family of ['smolvlm', 'internvl', 'qwen25vl', 'qwen3vl']) {
    const folder = fixture(join('families', family))
    await t.test(`${family}: every number is that of transformers`, async t => {
      for (const { name, error, bound, ok } of await checkFamily(folder, device))
        t.ok(ok, `${name}: ${error.toExponential(1)} <= ${bound.toExponential(1)}`)
    })
    await t.test(`${family}: words and pixels are those of its processor`, async t => {
      for (const { name, error, bound, ok } of await checkProcessor(folder, device))
        t.ok(ok, `${name}: ${error.toExponential(1)} <= ${bound.toExponential(1)}`)
    })
  }
})

for (const family of ['smolvlm', 'qwen25vl', 'qwen3vl'])
  t.test(`a saved ${family} has the names of the checkpoint that it came from`, async t => {
    const folder = fixture(join('families', family))
    const checkpoint = await openCheckpoint(folder)
    const model = await loadModel(device, checkpoint, ['language'])
    const out = join(t.testdir(), 'saved')
    await saveModel(checkpoint, model, out)
    const [before, after] = await Promise.all(
      [folder, out].map(each => openSafetensors(join(each, 'model.safetensors'))),
    )
    t.same([...after.tensors.keys()].sort(), [...before.tensors.keys()].sort())
    t.same(
      await readFile(join(out, 'model.safetensors')),
      await readFile(join(folder, 'model.safetensors')),
      'an untrained model is saved byte for byte',
    )
    model.weights.free()
  })

t.test('a tensor that no part has is named as the file names it', async t => {
  const folder = t.testdir()
  await cp(fixture('families/smolvlm'), folder, { recursive: true })
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
  config.text_config.num_hidden_layers = 1
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await t.rejects(openCheckpoint(folder), {
    message: /has no tensor model\.text_model\.layers\.1\.input_layernorm\.weight/,
  })
})
