// Memory through which files reach the GPU.
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Device, openDevice } from '../../../kernels/device/device.ts'

t.setTimeout(800_000)

/** An opened GPU, and the sizes of the buffers for uploads that it made. */
async function opened(t: Test) {
  const device = await openDevice()
  t.teardown(() => device.close())
  const made: number[] = []
  const create = device.gpu.createBuffer.bind(device.gpu)
  device.gpu.createBuffer = about => {
    if (about.usage & GPUBufferUsage.MAP_WRITE) made.push(about.size)
    return create(about)
  }
  return { device, made }
}

const upload = (device: Device, numbers: Float32Array<ArrayBuffer>) =>
  device.upload('numbers', [numbers.length], 'f32', async memory => {
    await delay(1)
    memory.set(new Uint8Array(numbers.buffer))
  })

const series = (first: number, count: number) => Float32Array.from({ length: count }, (_, i) => first + i / 4)

t.test('uploads one after another use the same memory, those at the same time each their own', async t => {
  const { device, made } = await opened(t)
  for (const count of [1000, 1001, 998]) {
    const tensor = await upload(device, series(count, count))
    t.same(await device.read(tensor), series(count, count))
    device.freeTensor(tensor)
  }
  t.equal(made.length, 1)
  const lists = [5, 6, 7].map(first => series(first, 1000))
  const tensors = await Promise.all(lists.map(list => upload(device, list)))
  for (const [i, tensor] of tensors.entries()) {
    t.same(await device.read(tensor), lists[i])
    device.freeTensor(tensor)
  }
  t.equal(made.length, 3)
  t.equal(device.liveBytes, 0)
  device.freeIdle()
  device.freeTensor(await upload(device, series(8, 1000)))
  t.equal(made.length, 4, 'idle memory is freed')
})

t.test('memory that could not be filled is not used again', async t => {
  const { device, made } = await opened(t)
  const failing = device.upload('numbers', [4], 'f32', async () => {
    throw new Error('the file is gone')
  })
  await t.rejects(failing, /the file is gone/)
  t.equal(device.liveBytes, 0)
  const halves = await device.upload('halves', [3], 'f16', async memory => memory.set([0, 60, 0, 64, 0, 66]))
  t.same([...(await device.read(halves))], [1, 2, 3], 'elements that do not fill a word')
  t.equal(made.length, 2)
  device.freeTensor(halves)
})

t.test('a device may be closed while memory is on its way back', async t => {
  const device = await openDevice()
  device.freeTensor(await upload(device, series(1, 100)))
  device.close()
  await delay(50)
  t.equal(device.liveBytes, 0)
})
