import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  checkpointsOf,
  listCheckpoints,
  readState,
  removeLeftovers,
  writeCheckpoint,
} from '../../../../engine/run/checkpoint/folder.ts'
import { openDevice } from '../../../../kernels/device/device.ts'
import { parameter } from '../../../../kernels/networks/parameters.ts'
import { adamWOptimizer } from '../../../../kernels/networks/training/optimizer.ts'
import { type Checkpoint, openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { type LoadedModel, loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { restoreModel, saveModel } from '../../../../operators/model/checkpoint/save-model.ts'
import { restoreOptimizer, saveOptimizer } from '../../../../operators/model/checkpoint/save-optimizer.ts'
import { openSafetensors, readBytes } from '../../../../operators/model/files/safetensors.ts'
import { noise } from '../../../kernels/support.ts'
import { type TinyOptions, temporaryFolder, writeTiny } from './tiny-checkpoint.ts'

const device = await openDevice()
t.teardown(() => device.close())

const embedding = 'language_model.model.embed_tokens.weight'
const head = 'language_model.lm_head.weight'
const unused = 'vision_tower._vision_tower.vision_model.post_layernorm.weight'
const adamW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradientNorm: 1 }

/** In two files, with a head that is stored although it is tied, and a tensor that nothing uses. */
const likeReleased: TinyOptions = {
  dtype: 'BF16',
  tensors: shapes => {
    shapes.set(head, shapes.get(embedding) ?? [])
    shapes.set(unused, [6])
  },
  shard: name =>
    name.startsWith('language_model')
      ? 'model-00001-of-00002.safetensors'
      : 'model-00002-of-00002.safetensors',
}

async function load(folder: string): Promise<{ checkpoint: Checkpoint; model: LoadedModel }> {
  const checkpoint = await openCheckpoint(folder)
  return { checkpoint, model: await loadModel(device, checkpoint, ['connector', 'language']) }
}

/** New values for every trained weight, none of them a bfloat16. */
function change({ weights }: LoadedModel, seed = 1): void {
  for (const { value, gradient, shape } of weights.byName.values()) {
    const size = shape.reduce((product, extent) => product * extent, 1)
    if (gradient) device.write(value, noise(size, seed++))
  }
}

const trainedValues = async ({ weights }: LoadedModel) =>
  Promise.all(
    [...weights.byName.values()].filter(({ gradient }) => gradient).map(({ value }) => device.read(value)),
  )

const filesOf = (folder: string) =>
  readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ name }) => name)
    .sort()

const cases: [string, TinyOptions][] = [
  ['float32 in one file', {}],
  ['bfloat16 in one file', { dtype: 'BF16' }],
  ['shards with a tied head that is stored', likeReleased],
]
for (const [name, options] of cases) {
  t.test(`${name}: what was not changed is saved as the same bytes in the same files`, async t => {
    const folder = await writeTiny(t, options)
    const { checkpoint, model } = await load(folder)
    const saved = join(await temporaryFolder(t), 'saved')
    await saveModel(checkpoint, model, saved)
    t.strictSame(filesOf(saved), filesOf(folder))
    for (const file of filesOf(folder))
      t.ok(readFileSync(join(folder, file)).equals(readFileSync(join(saved, file))), file)
    model.weights.free()
  })

  t.test(
    `${name}: save, load, save gives the same bytes, and loading for training the same float32`,
    async t => {
      const { checkpoint, model } = await load(await writeTiny(t, options))
      const folder = await temporaryFolder(t)
      change(model)
      model.version = 7
      await saveModel(checkpoint, model, join(folder, 'first'))
      const again = await load(join(folder, 'first'))
      await saveModel(again.checkpoint, again.model, join(folder, 'second'))
      for (const file of filesOf(join(folder, 'first')))
        t.ok(
          readFileSync(join(folder, 'first', file)).equals(readFileSync(join(folder, 'second', file))),
          file,
        )
      const fresh = await load(checkpoint.folder)
      await restoreModel(fresh.model, join(folder, 'first'))
      t.strictSame(await trainedValues(fresh.model), await trainedValues(model))
      t.equal(fresh.model.version, 7)
      for (const one of [model, again.model, fresh.model]) one.weights.free()
    },
  )
}

t.test('bfloat16 rounds to nearest, ties to even, and a tied head is stored as its embedding', async t => {
  const { checkpoint, model } = await load(await writeTiny(t, likeReleased))
  change(model)
  // 1 + k/256 lies halfway between two bfloat16 when k is odd
  const awkward = Float32Array.of(
    1 + 1 / 256,
    1 + 3 / 256,
    -1 - 1 / 256,
    1 + 1 / 256 + 2 ** -20,
    1 / 3,
    3e38,
    1e-40,
  )
  device.write(parameter(model.weights, embedding).value, awkward)
  const saved = join(await temporaryFolder(t), 'saved')
  await saveModel(checkpoint, model, saved)
  const file = await openSafetensors(join(saved, 'model-00001-of-00002.safetensors'))
  const bytesOf = async (name: string) => {
    const pieces: Uint8Array[] = []
    for await (const piece of readBytes(file, name)) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  const bytes = await bytesOf(embedding)
  const found = Array.from(awkward, (_, i) => bytes.readUInt16LE(2 * i).toString(16))
  t.strictSame(found, ['3f80', '3f82', 'bf80', '3f81', '3eab', '7f62', '1'])
  t.ok(bytes.equals(await bytesOf(head)))
  model.weights.free()
})

t.test('an optimizer goes on with the same bits', async t => {
  const { model, checkpoint } = await load(await writeTiny(t))
  change(model)
  const gradients = (of: LoadedModel, seed: number) => {
    for (const slab of of.weights.slabs)
      device.write(slab.gradients, noise(slab.gradients.shape[0] ?? 0, seed))
  }
  const optimizer = await adamWOptimizer(model, adamW)
  gradients(model, 3)
  await optimizer.step(0.01)
  const folder = await temporaryFolder(t)
  await saveModel(checkpoint, model, join(folder, 'model'))
  mkdirSync(join(folder, 'optimizer'))
  await saveOptimizer(model, optimizer, join(folder, 'optimizer'))
  const fresh = await load(checkpoint.folder)
  const second = await adamWOptimizer(fresh.model, adamW)
  await restoreModel(fresh.model, join(folder, 'model'))
  await restoreOptimizer(fresh.model, second, join(folder, 'optimizer'))
  t.equal(second.steps, 1)
  for (const [of, with_] of [
    [model, optimizer],
    [fresh.model, second],
  ] as const) {
    gradients(of, 4)
    await with_.step(0.01)
  }
  t.strictSame(await trainedValues(fresh.model), await trainedValues(model))
  for (const one of [optimizer, second, model.weights, fresh.model.weights]) one.free()
})

t.test('a save that ends at any byte leaves the checkpoint before it as it was', async t => {
  const { model, checkpoint } = await load(await writeTiny(t, { dtype: 'BF16' }))
  const optimizer = await adamWOptimizer(model, adamW)
  const directory = await temporaryFolder(t)
  const save = (acknowledged: number) =>
    writeCheckpoint(directory, {
      state: { version: 1, seed: 0, acknowledged, skipped: 0, cursors: {}, edges: {}, files: {} },
      keep: 1,
      write: async folder => {
        mkdirSync(join(folder, 'optimizer'))
        await saveModel(checkpoint, model, join(folder, 'policy'))
        await saveOptimizer(model, optimizer, join(folder, 'optimizer'))
      },
    })
  const handle = await open(join(checkpoint.folder, 'config.json'))
  const prototype: FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  const { write } = prototype
  // the declared type is that of its last overload
  const writeBytes = write as (
    this: FileHandle,
    bytes: Uint8Array,
    from: number,
    length: number,
  ) => Promise<unknown>
  /** What hangs must not be collected: it holds open files. */
  const forever: Promise<never>[] = []
  t.teardown(() => Object.assign(prototype, { write }))

  /** Writes reach the disk up to that byte; the one that passes it never returns, as when the process is gone. */
  const breakAt = (limit: number) => {
    let written = 0
    let hung: FileHandle | undefined
    let onHang = () => {}
    const hanging = new Promise<void>(resolve => {
      onHang = resolve
    })
    const partly = async function (this: FileHandle, bytes: Uint8Array, from = 0) {
      const length = Math.min(bytes.length - from, limit - written)
      if (length > 0) await writeBytes.call(this, bytes, from, length)
      written += length
      if (written < limit) return { bytesWritten: length, buffer: bytes }
      hung = this
      onHang()
      const never = new Promise<never>(() => {})
      forever.push(never)
      return never
    }
    Object.assign(prototype, { write: partly })
    return { hanging, written: () => written, end: () => hung?.close() }
  }

  const whole = breakAt(Number.POSITIVE_INFINITY)
  await save(1)
  const total = whole.written()
  const policy = join(checkpointsOf(directory), '000001', 'policy')
  const before = readFileSync(join(policy, 'model.safetensors'))
  change(model)
  const wrong: number[] = []
  for (let i = 0; i < 50; i++) {
    const limit = 1 + Math.floor(Math.random() * total)
    const broken = breakAt(limit)
    void save(2)
    await broken.hanging
    const intact =
      (await listCheckpoints(directory)).join() === '000001' &&
      (await readState(join(policy, '..'))).acknowledged === 1 &&
      (await openCheckpoint(policy)).tensors.size > 0 &&
      readFileSync(join(policy, 'model.safetensors')).equals(before)
    if (!intact) wrong.push(limit)
    await broken.end()
    await removeLeftovers(directory)
  }
  t.strictSame(wrong, [], `of ${total} bytes`)
  Object.assign(prototype, { write })
  await save(2)
  t.strictSame(await listCheckpoints(directory), ['000002'])
  t.strictSame(readdirSync(checkpointsOf(directory)).sort(), ['000002', 'last'], 'nothing else is left')
  optimizer.free()
  model.weights.free()
})
