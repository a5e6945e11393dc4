import { join } from 'node:path'
import t from 'tap'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { mergeAdapters, withoutAdapters } from '../../../../kernels/networks/adapters.ts'
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
import { close, given, noise, onEachFamily } from '../../../kernels/support.ts'
import { type Model, readModel } from '../../../oracle/model.ts'
import * as op from '../../../oracle/operations.ts'
import { groupLogProbabilities } from '../../../oracle/quantities.ts'
import { constant, type Matrix, Tape, variable } from '../../../oracle/tape.ts'
import {
  adaptedModel,
  adaptersOf,
  baseCheckpoint,
  everywhere,
  languageLayers,
  same,
} from './adapted-model.ts'

const { folder, checkpoint } = await baseCheckpoint(t)

const clip = noise(4 * 16 * 16, 9)
const ids = [7, 8, imagePlaceholderId, 9, 10, 11]
const completions = [[20, 91, 35, 62], [44], [12, 13, 14]]

const logitsOf = async (model: LoadedModel) => {
  const features = given(model.device, [64, 16], clip)
  return (await promptStates(model, { ids, features, completions: [completions[0]] })).logits
}

await onEachFamily(t, async (device, t) => {
  t.test('gradients are those of the oracle, in front of the adapters too', async t => {
    // The connector's gradient passes through all adapters of the language model.
    const targets = [...languageLayers, 'to_kv']
    const model = await adaptedModel(device, checkpoint, { ...everywhere, targets })
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
    const source = newAdapter(checkpoint, everywhere)
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
    const model = await adaptedModel(device, checkpoint)
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
    const model = await adaptedModel(device, checkpoint)
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
