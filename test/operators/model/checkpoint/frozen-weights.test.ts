import t from 'tap'
import type { Device } from '../../../../kernels/device/device.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { generate } from '../../../../kernels/networks/generation/batch-writer.ts'
import { imagePlaceholderId } from '../../../../kernels/networks/packing.ts'
import { parameter } from '../../../../kernels/networks/parameters.ts'
import { forward, promptStates } from '../../../../kernels/networks/video-model.ts'
import { dequantiseReference, quantiseReference } from '../../../../kernels/weights/integers.ts'
import { newAdapter } from '../../../../operators/model/checkpoint/adapter.ts'
import { integersOf } from '../../../../operators/model/checkpoint/frozen-weights.ts'
import { type LoadedModel, loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { close, given, noise, onEachFamily } from '../../../kernels/support.ts'
import { adaptersOf, baseCheckpoint, everywhere } from './adapted-model.ts'

const { checkpoint } = await baseCheckpoint(t)
const clip = noise(4 * 16 * 16, 9)
const ids = [7, 8, imagePlaceholderId, 9, 10, 11]
const completions = [[20, 91, 35, 62], [44], [12, 13, 14]]

const open = (device: Device, weights: 'stored' | 'int8' | 'int4') =>
  loadModel(
    device,
    checkpoint,
    [],
    'float32',
    { source: newAdapter(checkpoint, everywhere), trained: true },
    integersOf({ weights, groupSize: 16 }),
  )

/** The values of a stored weight. */
async function valuesOf(name: string): Promise<Float32Array> {
  const values: number[] = []
  for await (const piece of checkpoint.read(name)) values.push(...piece)
  return Float32Array.from(values)
}

/** A model of floats whose weights are those that the other one holds as integers. */
async function asFloats(device: Device, model: LoadedModel): Promise<LoadedModel> {
  const floats = await open(device, 'stored')
  for (const { name, integers } of model.weights.byName.values()) {
    if (!integers) continue
    const words = quantiseReference(await valuesOf(name), integers.shape, integers)
    device.write(parameter(floats.weights, name).value, dequantiseReference(words, integers.shape, integers))
  }
  return floats
}

t.test(
  'embeddings and heads have 8 bits, other matrices what is asked for, and vectors stay floats',
  async t => {
    const of = integersOf({ weights: 'int4', groupSize: 64 })
    const table = 'language_model.model.embed_tokens.weight'
    const projection = 'language_model.model.layers.0.mlp.up_proj.weight'
    t.same(of?.(table, [401, 40]), { bits: 8, groupSize: 64 })
    t.same(of?.(projection, [48, 40]), { bits: 4, groupSize: 64 })
    t.same(integersOf({ weights: 'int8', groupSize: 64 })?.(projection, [48, 40]), { bits: 8, groupSize: 64 })
    t.equal(of?.(projection, [48, 42]), undefined, 'rows that 8 does not divide')
    t.equal(of?.('language_model.model.norm.weight', [40]), undefined)
    t.equal(of?.('vision_tower.embeddings.position_embedding.weight', [9, 40]), undefined)
    t.equal(integersOf({ weights: 'stored', groupSize: 64 }), undefined)
    t.throws(() => integersOf({ weights: 'int8', groupSize: 20 }), {
      message: 'groupSize: must be a multiple of 8, got 20',
    })
  },
)

await onEachFamily(t, async (device, t) => {
  for (const weights of ['int8', 'int4'] as const)
    await t.test(
      `${weights}: logits, completions and gradients are those of the rounded weights`,
      async t => {
        const model = await open(device, weights)
        const held = [...model.weights.byName.values()].filter(({ integers }) => integers)
        t.ok(held.length > 15, `${held.length} matrices are integers`)
        t.ok(
          held.every(({ gradient }) => !gradient),
          'none is trained',
        )
        const floats = await asFloats(device, model)
        for (const { up } of adaptersOf(model))
          for (const { weights } of [model, floats])
            device.write(parameter(weights, up.name).value, noise(sizeOf(up.shape), up.name.length, 0.4))
        const features = given(device, [64, 16], clip)
        const logitsOf = async (of: LoadedModel) =>
          (await promptStates(of, { ids, features, completions: [completions[0] ?? []] })).logits
        const [found, wanted] = [await logitsOf(model), await logitsOf(floats)]
        close(t, found, wanted, 1e-5, 'logits:')
        t.notSame(
          [...wanted],
          [...(await logitsOf(await open(device, 'stored')))],
          'rounding changed the weights',
        )

        const written = (of: LoadedModel) =>
          generate(
            of,
            [{ ids, features, completions: [], seeds: [1, 2] }],
            { greedy: true, temperature: 1, topK: 0, topP: 1 },
            { maxNewTokens: 9, endIds: [] },
          )
        t.same(await written(model), await written(floats))

        const gradientsOf = async (of: LoadedModel) => {
          const pass = await forward(of, [{ ids, features, completions }], true)
          pass.backward(Float32Array.from(pass.logProbs, (_, i) => 1 - i / 4))
          const matrices = adaptersOf(of).flatMap(({ up, down }) => [up, down])
          matrices.sort((a, b) => (a.name < b.name ? -1 : 1))
          const all = await Promise.all(matrices.map(({ gradient }) => gradient && device.read(gradient)))
          pass.free()
          return all.flatMap(values => [...(values ?? [])])
        }
        const gradients = await gradientsOf(model)
        t.ok(gradients.some(value => Math.abs(value) > 1e-3))
        close(t, gradients, await gradientsOf(floats), 2e-5, 'gradients of the adapters:')
      },
    )
})
