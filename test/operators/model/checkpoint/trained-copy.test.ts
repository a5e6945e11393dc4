import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Device, openDevice } from '../../../../kernels/device/device.ts'
import { sizeOf } from '../../../../kernels/device/tensor.ts'
import { type LoadedModel, loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { readTrained, writeTrained } from '../../../../operators/model/checkpoint/trained-copy.ts'
import { noise } from '../../../kernels/support.ts'
import { adaptedModel, baseCheckpoint } from './adapted-model.ts'

const { folder, checkpoint } = await baseCheckpoint(t)
const { signal } = new AbortController()
let device: Device
t.before(async () => {
  device = await openDevice()
})
t.teardown(() => device.close())

const trainedOf = ({ weights }: LoadedModel) =>
  [...weights.byName.values()].filter(({ gradient }) => gradient !== undefined)

async function valuesOf(model: LoadedModel) {
  const entries = trainedOf(model).map(
    async ({ name, value }) => [name, [...(await device.read(value))]] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}

function placeFor(name: string) {
  const place = join(folder, name)
  mkdirSync(place)
  return place
}

t.test('a copy of an adapter makes another process have the same one', async t => {
  const model = await adaptedModel(device, checkpoint)
  model.version = 7
  const place = placeFor('adapter')
  await writeTrained(model, place, signal)
  const other = await adaptedModel(device, checkpoint)
  for (const { value, shape } of trainedOf(other)) device.write(value, noise(sizeOf(shape), 99))
  await readTrained(other, place)
  t.equal(other.version, 7)
  t.same(await valuesOf(other), await valuesOf(model))
})

t.test('a copy is of all trained weights, wherever they lie in the buffers of another GPU', async t => {
  const parts = ['connector', 'language'] as const
  const model = await loadModel(device, checkpoint, parts, 'float32')
  for (const [i, { value, shape }] of trainedOf(model).entries())
    device.write(value, noise(sizeOf(shape), i + 1))
  const place = placeFor('parts')
  await writeTrained(model, place, signal)
  // a GPU with small buffers, which hold a few weights each
  const { maxBindingBytes } = device
  Object.defineProperty(device, 'maxBindingBytes', { value: 200_000, configurable: true })
  const other = await loadModel(device, checkpoint, parts, 'float32')
  Object.defineProperty(device, 'maxBindingBytes', { value: maxBindingBytes, configurable: true })
  t.ok(other.weights.slabs.length > model.weights.slabs.length, `${other.weights.slabs.length} buffers`)
  await readTrained(other, place)
  t.same(await valuesOf(other), await valuesOf(model))
})

t.test('a copy of other weights is refused by name', async t => {
  const model = await adaptedModel(device, checkpoint)
  const place = placeFor('other')
  await writeTrained(model, place, signal)
  const path = join(place, 'places.json')
  const written = JSON.parse(readFileSync(path, 'utf8'))
  const [[name, begin, bytes]] = written.places
  written.places[0] = [name, begin, bytes - 4]
  writeFileSync(path, JSON.stringify(written))
  const message = new RegExp(`must hold ${bytes} bytes of ${name}, found ${bytes - 4}`)
  await t.rejects(readTrained(model, place), { code: 'wrong-shape', message })
})
