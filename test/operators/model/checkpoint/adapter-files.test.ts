import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { adapterNames, mergeAdapters } from '../../../../kernels/networks/adapters.ts'
import { parameter } from '../../../../kernels/networks/parameters.ts'
import { newAdapter } from '../../../../operators/model/checkpoint/adapter.ts'
import { openAdapter, saveAdapter } from '../../../../operators/model/checkpoint/adapter-files.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { type LoadedModel, loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { trainedState } from '../../../../operators/model/checkpoint/trained-state.ts'
import { openSafetensors, readTensor } from '../../../../operators/model/files/safetensors.ts'
import { fixture } from '../../../fixtures.ts'
import { close, noise } from '../../../kernels/support.ts'
import { adaptedModel, baseCheckpoint, everywhere, same } from './adapted-model.ts'

const { folder, checkpoint } = await baseCheckpoint(t)

t.test('files are those of PEFT, and go in and out without a change', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const first = join(folder, 'first')
  const model = await adaptedModel(device, checkpoint, {
    ...everywhere,
    targets: ['q_proj', 'layers.1.mlp.down_proj'],
  })
  await saveAdapter(model, first)
  const again = await loadModel(device, checkpoint, [], 'float32', {
    source: await openAdapter(first, checkpoint),
    trained: true,
  })
  await saveAdapter(again, join(folder, 'second'))
  for (const name of ['adapter_config.json', 'adapter_model.safetensors'])
    t.same(readFileSync(join(folder, 'second', name)), readFileSync(join(first, name)), name)

  const block = (i: number) => `base_model.model.language_model.model.layers.${i}`
  const file = await openSafetensors(join(first, 'adapter_model.safetensors'))
  t.same(
    [...file.tensors].map(([name, { shape, dtype }]) => [name, dtype, ...shape]),
    [
      [`${block(0)}.self_attn.q_proj.lora_A.weight`, 'F32', 3, 40],
      [`${block(0)}.self_attn.q_proj.lora_B.weight`, 'F32', 40, 3],
      [`${block(1)}.mlp.down_proj.lora_A.weight`, 'F32', 3, 50],
      [`${block(1)}.mlp.down_proj.lora_B.weight`, 'F32', 40, 3],
      [`${block(1)}.self_attn.q_proj.lora_A.weight`, 'F32', 3, 40],
      [`${block(1)}.self_attn.q_proj.lora_B.weight`, 'F32', 40, 3],
    ],
  )
  const config = JSON.parse(readFileSync(join(first, 'adapter_config.json'), 'utf8'))
  t.match(config, {
    peft_type: 'LORA',
    r: 3,
    lora_alpha: 6,
    use_rslora: false,
    base_model_name_or_path: checkpoint.folder,
  })
  t.same(config.target_modules, [
    'language_model.model.layers.0.self_attn.q_proj',
    'language_model.model.layers.1.self_attn.q_proj',
    'language_model.model.layers.1.mlp.down_proj',
  ])
  let values: number[] = []
  const name = 'language_model.model.layers.1.mlp.down_proj.weight'
  for await (const chunk of readTensor(file, `base_model.model.${adapterNames(name).up}`))
    values = [...values, ...chunk]
  const up = parameter(model.weights, adapterNames(name).up)
  t.same(values, [...(await device.read(up.value))])
})

t.test('what PEFT wrote merges to what PEFT merges', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const tiny = await openCheckpoint(fixture('tiny-bf16'))
  const source = await openAdapter(fixture('peft-adapter'), tiny)
  t.match(source, { rank: 2, alpha: 3, rankStabilised: true })
  t.equal(source.targets.length, 2 * tiny.config.language.network.layers)
  const model = await loadModel(device, tiny, [], 'float32', { source, trained: false })
  await mergeAdapters(device, model.weights)
  const file = await openSafetensors(fixture('peft-adapter/merged.safetensors'))
  const name = 'language_model.model.layers.0.mlp.down_proj.weight'
  const wanted: number[] = []
  for await (const chunk of readTensor(file, name)) wanted.push(...chunk)
  const found = await device.read(parameter(model.weights, name).value)
  close(t, found.subarray(0, wanted.length), wanted, 2e-7, 'rows of a weight')
})

t.test("a run's checkpoint brings the adapter and the trained connector back", async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const source = newAdapter(checkpoint, everywhere)
  const open = () => loadModel(device, checkpoint, ['connector'], 'float32', { source, trained: true })
  const [one, two] = [await open(), await open()]
  const trained = [...one.weights.byName.values()].filter(({ gradient }) => gradient)
  for (const [i, { value }] of trained.entries()) device.write(value, noise(sizeOf(value.shape), i))
  one.version = 7
  const path = join(folder, 'state')
  mkdirSync(path)
  const { signal } = new AbortController()
  const asked = { frames: [8], words: [], tokens: [] }
  const stateOf = (model: LoadedModel) =>
    trainedState(checkpoint, model, ['connector', 'adapter'], { asked, signal })
  await stateOf(one).save(path)
  await stateOf(two).restore(path)
  t.equal(two.version, 7)
  for (const { name, value } of trained)
    t.ok(same(await device.read(parameter(two.weights, name).value), await device.read(value)), name)
  t.same((await openAdapter(join(path, 'adapter'), await openCheckpoint(path))).targets, source.targets)
})

t.test('a weight is trained or adapted, not both', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const adapter = { source: newAdapter(checkpoint, everywhere), trained: true }
  const message = /q_proj.weight is trained itself, so it must not have an adapter/
  await t.rejects(loadModel(device, checkpoint, ['language'], 'float32', adapter), { message })
  t.equal(device.liveBytes, 0)
})

t.test('the root of the rank divides alpha where the file says so', async t => {
  const path = changed('stabilised', config => ({ ...config, use_rslora: true, r: 3, lora_alpha: 6 }))
  t.match(await openAdapter(path, checkpoint), { rankStabilised: true, rank: 3, alpha: 6 })
})

const refused: [what: string, change: object, message: RegExp][] = [
  ['another method', { peft_type: 'IA3' }, /adapter_config.json: peft_type must be "LORA", got "IA3"/],
  ['DoRA', { use_dora: true }, /use_dora is not supported, got true/],
  ['biases', { bias: 'all' }, /bias is not supported, got "all"/],
  ['ranks by layer', { rank_pattern: { q_proj: 4 } }, /rank_pattern is not supported/],
  ['whole modules with the adapter', { modules_to_save: ['lm_head'] }, /modules_to_save is not supported/],
  ['another rank', { r: 4 }, /lora_A.weight: must have shape \(4, 40\), got \(3, 40\)/],
  [
    'PiSSA',
    { init_lora_weights: 'pissa_niter_4' },
    /init_lora_weights "pissa_niter_4" changes the base model/,
  ],
  ['OLoRA', { init_lora_weights: 'olora' }, /init_lora_weights "olora" changes the base/],
  ['LoftQ', { init_lora_weights: 'loftq' }, /init_lora_weights "loftq" changes the base/],
  ['CorDA', { init_lora_weights: 'corda' }, /init_lora_weights "corda" changes the base/],
  ['no rank at all', { r: 0 }, /r must be a whole number of at least 1, got 0/],
]
for (const [what, change, message] of refused) {
  t.test(`refused: ${what}`, async t => {
    const path = changed(what, config => ({ ...config, ...change }))
    await t.rejects(openAdapter(path, checkpoint), { message })
  })
}

t.test('a target that is no linear layer is an error with those that are', t => {
  const none = { ...everywhere, targets: ['q_proj', 'qproj'] }
  const message = /linear layers .*\(.*to_kv.*q_proj.*down_proj.*\), got "qproj"/
  t.throws(() => newAdapter(checkpoint, none), { code: 'bad-config', message })
  t.end()
})

/** The folder that an earlier test wrote, with another config. */
function changed(name: string, change: (config: object) => object): string {
  const path = join(folder, `changed ${name}`)
  mkdirSync(path)
  cpSync(join(folder, 'first'), path, { recursive: true })
  const config = JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'))
  writeFileSync(join(path, 'adapter_config.json'), JSON.stringify(change(config)))
  return path
}
