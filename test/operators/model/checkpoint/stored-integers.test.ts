import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { parameter } from '../../../../kernels/networks/parameters.ts'
import { promptStates } from '../../../../kernels/networks/video-model.ts'
import { newAdapter } from '../../../../operators/model/checkpoint/adapter.ts'
import { saveAdapter } from '../../../../operators/model/checkpoint/adapter-files.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { integersOf } from '../../../../operators/model/checkpoint/frozen-weights.ts'
import { type LoadedModel, loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { packableWeights, writeIntegers } from '../../../../operators/model/checkpoint/save-integers.ts'
import { openSafetensors, readBytes } from '../../../../operators/model/files/safetensors.ts'
import { writeSafetensors } from '../../../../operators/model/files/safetensors-write.ts'
import merge from '../../../../operators/model/merge.ts'
import { outlineOf } from '../../../../operators/model/sizes.ts'
import { baseCheckpoint, everywhere } from './adapted-model.ts'
import { problemsOf } from './tiny-checkpoint.ts'

const { folder, checkpoint } = await baseCheckpoint(t, { intermediate: 48 })
const device = await openDevice()
t.teardown(() => device.close())
const groupSize = 8
const ids = [7, 8, 9, 10, 11, 40, 3]
const up = 'language_model.model.layers.1.mlp.up_proj.weight'

const logitsOf = async (model: LoadedModel) => [...(await promptStates(model, { ids })).logits]

/** A copy of a checkpoint of integers with another quantization_config, or other bytes of one tensor. */
async function changed(
  from: string,
  name: string,
  change: {
    config?: object
    tensor?: string
    bytes?: (old: Uint8Array<ArrayBuffer>) => Uint8Array | undefined
  },
): Promise<string> {
  const to = join(folder, name)
  await cp(from, to, { recursive: true })
  const path = join(to, 'config.json')
  const json = JSON.parse(await readFile(path, 'utf8'))
  Object.assign(json.quantization_config, change.config)
  await writeFile(path, JSON.stringify(json))
  if (change.tensor === undefined) return to
  const file = await openSafetensors(join(from, 'model.safetensors'))
  const tensors = []
  for (const [tensor, { shape, dtype }] of file.tensors) {
    const pieces: Uint8Array<ArrayBuffer>[] = []
    for await (const piece of readBytes(file, tensor)) pieces.push(piece)
    const old = Uint8Array.from(Buffer.concat(pieces))
    const bytes = tensor === change.tensor ? change.bytes?.(old) : old
    if (bytes) tensors.push({ name: tensor, shape, dtype: dtype as 'F16', chunks: [bytes] }) // as it was stored
  }
  await writeSafetensors(join(to, 'model.safetensors'), tensors)
  return to
}

for (const [weights, method] of [
  ['int4', 'awq'],
  ['int8', 'gptq'],
] as const)
  await t.test(
    `${weights} as ${method}: what is written is read as what is rounded when it is loaded`,
    async t => {
      const packed = packableWeights(checkpoint, { weights, groupSize })
      t.ok(packed.length >= 10 && packed.includes(up), `${packed.length} layers`)
      const written = join(folder, method)
      await writeIntegers(checkpoint, written, { weights, groupSize })
      const stored = await openCheckpoint(written)
      t.equal(stored.tensors.get(up)?.packing?.method, method)
      t.throws(() => stored.read(up), /holds integers in place of the floats of/)
      const rounded = integersOf({ weights, groupSize })
      const wanted = await loadModel(device, checkpoint, [], 'float32', undefined, (name, shape) =>
        packed.includes(name) ? rounded?.(name, shape) : undefined,
      )
      const found = await loadModel(device, stored, [])
      const wordsOf = async (of: LoadedModel, name: string) => {
        const { integers } = parameter(of.weights, name)
        if (!integers) return t.fail(`${name} is floats`)
        return [
          ...(await device.readIntegers(integers.integers)),
          ...(await device.readIntegers(integers.groups)),
        ]
      }
      t.same(await wordsOf(found, up), await wordsOf(wanted, up))
      t.same(await logitsOf(found), await logitsOf(wanted), 'logits are the same to the bit')
      t.notSame(await logitsOf(found), await logitsOf(await loadModel(device, checkpoint, [])))

      const outline = outlineOf({ path: written, train: [], precision: 'float32' })
      const bytes = [
        ...new Set(
          [...found.weights.byName.values()].flatMap(({ value, integers }) =>
            [value, integers?.groups].map(one => one?.storage?.buffer),
          ),
        ),
      ].reduce((sum, buffer) => sum + (buffer?.size ?? 0), 0)
      t.equal(outline.weightBytes, bytes, 'explain counts the memory that it takes')
      await t.rejects(
        loadModel(device, stored, ['language']),
        /is stored as integers, which are not trained; train an adapter/,
      )
      const adapted = await loadModel(device, stored, [], 'float32', {
        source: newAdapter(stored, everywhere),
        trained: true,
      })
      t.ok(parameter(adapted.weights, up).adapter && parameter(adapted.weights, up).integers)
      const adapter = join(folder, `adapter of ${method}`)
      await saveAdapter(adapted, adapter)
      const merged = { path: written, adapter, folder: join(folder, 'merged') }
      const looked = (async () =>
        merge.inspect?.(merged, { sizes: () => ({}), outline: () => undefined as never }))()
      await t.rejects(looked, /so no adapter can be merged into it; merge it into the checkpoint of floats/)
      await t.rejects(
        writeIntegers(stored, join(folder, 'again'), { weights, groupSize }),
        /its weights are integers already/,
      )
      await t.rejects(writeIntegers(checkpoint, written, { weights, groupSize }), { code: 'folder-in-use' })
      for (const { weights } of [wanted, found, adapted]) weights.free()
    },
  )

t.test('a checkpoint that cannot be read says what is wrong and what would do', async t => {
  const from = (method: string) => join(folder, method)
  const of = async (where: string) =>
    (await problemsOf(openCheckpoint(where), where)).map(({ message }) => message)
  const bits = await changed(from('awq'), 'bnb', {
    config: { quant_method: 'bitsandbytes', load_in_4bit: true },
  })
  t.match(await of(bits), [
    /config.json: quantization_config.quant_method: "bitsandbytes" is not supported: its weights need its own library; supported: awq, gptq. Take the checkpoint of floats/,
  ])
  const order = await changed(from('gptq'), 'order', { config: { desc_act: true } })
  t.match(await of(order), [/quantization_config.desc_act: true is not supported/])
  const gemv = await changed(from('awq'), 'gemv', { config: { version: 'gemv' } })
  t.match(await of(gemv), [
    /quantization_config.version: "gemv" is not supported; it must be absent or "gemm"/,
  ])
  const size = await changed(from('awq'), 'size', { config: { group_size: 40 } })
  t.match((await of(size))[0], /qzeros: config.json says shape \(1, \d+\), got \(5, \d+\)/)
  const [name, scales] = [up.replace('weight', 'g_idx'), up.replace('weight', 'scales')]
  const reversed = await changed(from('gptq'), 'reversed', {
    tensor: name,
    bytes: old => new Uint8Array(new Int32Array(old.buffer).reverse().buffer),
  })
  t.match(await of(reversed), [/g_idx: its groups are not neighbours in a row, as desc_act makes them/])
  const without = await changed(from('awq'), 'without', { tensor: scales, bytes: () => undefined })
  t.match(await of(without), [
    /no tensor language_model.model.layers.1.mlp.up_proj.scales of shape \(5, \d+\)/,
  ])
  const broken = await changed(from('awq'), 'broken', {
    tensor: scales,
    bytes: old => new Uint8Array(new Uint16Array(old.buffer).fill(0x7e00).buffer),
  })
  await t.rejects(loadModel(device, await openCheckpoint(broken), []), { code: 'not-finite' })
  await t.rejects(
    writeIntegers(checkpoint, join(folder, 'odd'), { weights: 'int4', groupSize: 128 }),
    /groupSize: must divide the inputs of layers \(40, \d+\), got 128/,
  )
})
