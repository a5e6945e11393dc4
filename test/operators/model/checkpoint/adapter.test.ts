import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Device, openDevice } from '../../../../kernels/device/device.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { adapterNames, mergeAdapters, withoutAdapters } from '../../../../kernels/networks/adapters.ts'
import { generate } from '../../../../kernels/networks/generation/batch-writer.ts'
import { imagePlaceholderId } from '../../../../kernels/networks/packing.ts'
import { parameter } from '../../../../kernels/networks/parameters.ts'
import { adamWOptimizer } from '../../../../kernels/networks/training/optimizer.ts'
import { forward, promptStates } from '../../../../kernels/networks/video-model.ts'
import { newAdapter } from '../../../../operators/model/checkpoint/adapter.ts'
import { openAdapter, saveAdapter } from '../../../../operators/model/checkpoint/adapter-files.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { type LoadedModel, loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { exportModel } from '../../../../operators/model/checkpoint/save-model.ts'
import { trainedState } from '../../../../operators/model/checkpoint/trained-state.ts'
import { openSafetensors, readTensor } from '../../../../operators/model/files/safetensors.ts'
import modelRandom, { writeRandomCheckpoint } from '../../../../operators/model/random.ts'
import { fixture } from '../../../fixtures.ts'
import { close, given, noise, onEachFamily } from '../../../kernels/support.ts'
import { type Model, readModel } from '../../../oracle/model.ts'
import * as op from '../../../oracle/operations.ts'
import { groupLogProbabilities } from '../../../oracle/quantities.ts'
import { constant, type Matrix, Tape, variable } from '../../../oracle/tape.ts'

const defaults = Object.fromEntries(
  Object.entries(modelRandom.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as Parameters<typeof writeRandomCheckpoint>[1] // every field but the folder has a default
const folder = t.testdir()
const sizes = {
  hidden: 40,
  intermediate: 50,
  layers: 2,
  visionHidden: 16,
  visionHeads: 2,
  queries: 5,
  group: 2,
}
const base = join(folder, 'base')
const written = { ...defaults, ...sizes, folder: base, tokenizer: fixture('prompts') }
await writeRandomCheckpoint(base, { ...written, dtype: 'float32' })
const checkpoint = await openCheckpoint(base)
const every = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
const fresh = { rank: 3, alpha: 6, targets: every, seed: 5 }

const clip = noise(4 * 16 * 16, 9)
const ids = [7, 8, imagePlaceholderId, 9, 10, 11]
const completions = [[20, 91, 35, 62], [44], [12, 13, 14]]

/** The base with a trained adapter whose second matrices are not zero, so that it changes what the model says. */
async function adaptedModel(device: Device, lora = fresh) {
  const source = newAdapter(checkpoint, lora)
  const model = await loadModel(device, checkpoint, [], 'float32', { source, trained: true })
  for (const [i, { up }] of adaptersOf(model).entries())
    device.write(up.value, noise(sizeOf(up.shape), i + 1, 0.4))
  return model
}

const adaptersOf = ({ weights }: LoadedModel) =>
  [...weights.byName.values()].flatMap(({ adapter }) => (adapter ? [adapter] : []))

const logitsOf = async (model: LoadedModel) => {
  const features = given(model.device, [64, 16], clip)
  return (await promptStates(model, { ids, features, completions: [completions[0]] })).logits
}

await onEachFamily(t, async (device, t) => {
  t.test('gradients are those of the oracle, in front of the adapters too', async t => {
    // The connector's gradient passes through all adapters of the language model.
    const targets = [...every, 'to_kv']
    const model = await adaptedModel(device, { ...fresh, targets })
    const features = given(device, [64, 16], clip)
    const pass = await forward(model, [{ ids, features, completions }], true)
    const coefficients = noise(pass.logProbs.length, 3)
    pass.backward(coefficients)
    pass.free()

    const tape = new Tape()
    const oracle = await readModel(checkpoint)
    const matrices = await adaptOracle(tape, oracle, model)
    const seen = constant([64, 16], Float64Array.from(clip))
    const logProbs = groupLogProbabilities(tape, oracle, seen, ids, completions)
    tape.backward(logProbs, coefficients)
    close(t, pass.logProbs, logProbs.data, 2e-5, 'log-probabilities')
    const trained = [...model.weights.byName.values()].filter(({ gradient }) => gradient)
    t.same(trained.map(({ name }) => name).sort(), [...matrices.keys()].sort())
    for (const { name, gradient } of trained)
      if (gradient) close(t, await device.read(gradient), matrices.get(name)?.gradient ?? [], 2e-4, name)
    model.weights.free()
  })

  t.test('a new adapter changes nothing', async t => {
    const plain = await loadModel(device, checkpoint, [])
    const source = newAdapter(checkpoint, fresh)
    const model = await loadModel(device, checkpoint, [], 'float32', { source, trained: true })
    t.ok(same(await logitsOf(model), await logitsOf(plain)))
    const [{ down, up, scale }] = adaptersOf(model)
    const [first, second] = [await device.read(down.value), await device.read(up.value)]
    const bound = 1 / Math.sqrt(40)
    t.ok(
      first.every(value => Math.abs(value) <= bound),
      'within the bound of Kaiming-uniform',
    )
    t.ok(Math.max(...first.map(Math.abs)) > 0.8 * bound, 'and up to it')
    t.ok(second.every(value => value === 0))
    t.equal(scale, 2)
    for (const { weights } of [plain, model]) weights.free()
  })

  t.test('merged weights say what the adapter says, in logits and in what is written', async t => {
    const model = await adaptedModel(device)
    const plain = { ...model, weights: withoutAdapters(model.weights) }
    const before = await logitsOf(plain)
    const wanted = await logitsOf(model)
    t.ok(Math.abs(wanted[0] - before[0]) > 1e-3, 'the adapter matters')
    const written = await greedy(model)
    const path = join(folder, `adapter-${device.family}`)
    await saveAdapter(model, path)
    await mergeAdapters(device, model.weights)
    const merged = join(folder, `merged-${device.family}`)
    await exportModel(checkpoint, model, merged, undefined, weight => weight.adapter !== undefined)
    model.weights.free()

    const opened = await openCheckpoint(merged)
    const found = await loadModel(device, opened, [])
    close(t, await logitsOf(found), wanted, 2e-5, 'logits')
    t.same(await greedy(found), written)
    found.weights.free()
    const imported = await loadModel(device, checkpoint, [], 'float32', {
      source: await openAdapter(path, checkpoint),
      trained: false,
    })
    t.ok(same(await logitsOf(imported), wanted), 'the files bring the same adapter')
    t.equal(imported.weights.slabs.length, 0, 'which is not trained')
    imported.weights.free()
    const [file, old] = [opened.files[0], checkpoint.files[0]]
    t.same([...file.tensors], [...old.tensors], 'the same layout')
  })

  t.test('an update changes the adapter only, and keeps moments for nothing else', async t => {
    const model = await adaptedModel(device)
    const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, maxGradientNorm: 1 }
    const live = device.liveBytes
    const optimizer = await adamWOptimizer(model, options)
    const matrices = adaptersOf(model).flatMap(({ down, up }) => [down, up])
    const aligned = matrices.reduce((sum, { shape }) => sum + Math.ceil((sizeOf(shape) * 4) / 256) * 256, 0)
    const slab = model.weights.slabs.reduce((sum, { values }) => sum + sizeOf(values.shape) * 4, 0)
    t.equal(slab, aligned)
    t.ok(device.liveBytes - live < 2 * aligned + 16384, 'two moments and scratch')
    optimizer.clearGradients()
    const features = given(device, [64, 16], clip)
    const names = [...model.weights.byName.keys()]
    const values = () => Promise.all(names.map(name => device.read(parameter(model.weights, name).value)))
    const before = await values()
    const pass = await forward(model, [{ ids, features, completions }], true)
    pass.backward(noise(pass.logProbs.length, 4))
    pass.free()
    await optimizer.step(0.01)
    const after = await values()
    const changed = names.filter((_, i) => before[i].some((value, k) => value !== after[i][k]))
    const expected = matrices.map(({ name }) => name)
    t.same(changed.sort(), expected.sort())
    optimizer.free()
    model.weights.free()
  })
})

await onEachFamily(t, async (device, t) => {
  t.test('norms and biases do not decay where only matrices do', async t => {
    const model = await loadModel(device, checkpoint, ['connector', 'language'])
    const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5, maxGradientNorm: 1 }
    const all = await adamWOptimizer(model, options)
    const some = await adamWOptimizer(model, { ...options, decayed: 'matrices' })
    const weights = [...model.weights.byName.values()].filter(({ gradient }) => gradient)
    const values = () => Promise.all(weights.map(({ value }) => device.read(value)))
    all.clearGradients()
    const before = await values()
    t.ok((await some.step(0.5)).applied)
    const after = await values()
    for (const [i, { name, shape }] of weights.entries()) {
      const factor = shape.length > 1 ? 0.75 : 1
      const wanted = before[i].map(value => factor * value)
      t.ok(same(after[i], wanted), `${name} times ${factor}`)
    }
    await all.step(0.5)
    const last = await values()
    t.ok(
      last.every((row, i) =>
        same(
          row,
          after[i].map(value => 0.75 * value),
        ),
      ),
    )
    for (const optimizer of [all, some]) optimizer.free()
    model.weights.free()
  })
})

t.test('files are those of PEFT, and go in and out without a change', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const first = join(folder, 'first')
  const model = await adaptedModel(device, { ...fresh, targets: ['q_proj', 'layers.1.mlp.down_proj'] })
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
    base_model_name_or_path: base,
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
  t.equal(source.targets.length, 2 * tiny.config.language.layers)
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
  const source = newAdapter(checkpoint, fresh)
  const open = () => loadModel(device, checkpoint, ['connector'], 'float32', { source, trained: true })
  const [one, two] = [await open(), await open()]
  const trained = [...one.weights.byName.values()].filter(({ gradient }) => gradient)
  for (const [i, { value }] of trained.entries()) device.write(value, noise(sizeOf(value.shape), i))
  one.version = 7
  const path = join(folder, 'state')
  mkdirSync(path)
  const { signal } = new AbortController()
  const stateOf = (model: LoadedModel) => trainedState(checkpoint, model, ['connector', 'adapter'], signal)
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
  const adapter = { source: newAdapter(checkpoint, fresh), trained: true }
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
  ['whole modules beside', { modules_to_save: ['lm_head'] }, /modules_to_save is not supported/],
  ['another rank', { r: 4 }, /lora_A.weight: must have shape \(4, 40\), got \(3, 40\)/],
  ['no rank at all', { r: 0 }, /r must be a whole number of at least 1, got 0/],
]
for (const [what, change, message] of refused) {
  t.test(`refused: ${what}`, async t => {
    const path = changed(what, config => ({ ...config, ...change }))
    await t.rejects(openAdapter(path, checkpoint), { message })
  })
}

t.test('a target that is no linear layer is an error with those that are', t => {
  const none = { ...fresh, targets: ['q_proj', 'qproj'] }
  const message = /linear layers .*\(.*to_kv.*q_proj.*down_proj.*\), got "qproj"/
  t.throws(() => newAdapter(checkpoint, none), { code: 'bad-config', message })
  t.end()
})

function same(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}

/** The folder that an earlier test wrote, with another config. */
function changed(name: string, change: (config: object) => object): string {
  const path = join(folder, `changed ${name}`)
  mkdirSync(path)
  cpSync(join(folder, 'first'), path, { recursive: true })
  const config = JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'))
  writeFileSync(join(path, 'adapter_config.json'), JSON.stringify(change(config)))
  return path
}

async function greedy(model: LoadedModel): Promise<number[][][]> {
  const features = given(model.device, [64, 16], clip)
  const sampling = { greedy: true, temperature: 1, topK: 0, topP: 1 }
  return generate(model, [{ ids, features, seeds: [1, 2] }], sampling, { maxNewTokens: 9, endIds: [1] })
}

/** Puts W + scale · B · A in the place of every adapted weight; the matrices by their names. */
async function adaptOracle(tape: Tape, oracle: Model, { device, weights }: LoadedModel) {
  const matrices = new Map<string, Matrix>()
  const changed = new Map<string, Matrix>()
  for (const { name, adapter } of weights.byName.values()) {
    if (!adapter) continue
    const [up, down] = await Promise.all(
      [adapter.up, adapter.down].map(async ({ name, value, shape: [rows, columns] }) => {
        const matrix = variable([rows, columns], Float64Array.from(await device.read(value)))
        matrices.set(name, matrix)
        return matrix
      }),
    )
    const product = op.scale(tape, op.matmul(tape, up, down, 'nn'), adapter.scale)
    const weight = oracle.weights.get(name)
    if (weight) changed.set(name, op.add(tape, weight, product))
  }
  Object.assign(oracle, { weights: new Map([...oracle.weights, ...changed]) })
  return matrices
}
