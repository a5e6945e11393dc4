import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { readPieces } from '../../../../operators/model/files/tensor-pieces.ts'

const device = await openDevice()
t.teardown(() => device.close())
const piece = 4 * 2 ** 20

for (const [size, count] of [
  [1, 1],
  [piece, 1],
  [4 * piece + 1, 5],
] as const) {
  t.test(`${size} elements come in order, in ${count} pieces`, async t => {
    const values = Float32Array.from({ length: size }, (_, i) => i)
    const tensor = device.tensor('values', [size], 'f32', values)
    let [at, pieces] = [0, 0]
    for await (const found of readPieces(device, tensor)) {
      if (!Buffer.from(found.buffer).equals(Buffer.from(values.buffer, at * 4, found.length * 4))) break
      at += found.length
      pieces++
    }
    t.same([at, pieces], [size, count])
    device.freeTensor(tensor)
  })
}

t.test('a reader may leave early, and an abort ends the reading', async t => {
  const tensor = device.tensor('values', [3 * piece])
  for await (const _ of readPieces(device, tensor)) break
  const abort = new AbortController()
  const pieces = readPieces(device, tensor, abort.signal)
  await pieces.next()
  abort.abort()
  await t.rejects(pieces.next(), { name: 'AbortError' })
  device.freeTensor(tensor)
  await device.finish()
})

t.test('a piece that fails while an earlier one is written fails when its turn comes', async t => {
  const tensor = device.tensor('values', [3 * piece])
  let reads = 0
  const failing = {
    read: async () => {
      if (reads++ > 0) throw new Error('the device is lost')
      return new Float32Array(1)
    },
  } as object as typeof device // nothing else is asked
  const pieces = readPieces(failing, tensor)
  await pieces.next()
  await new Promise(resolve => setTimeout(resolve, 20)) // Node ends a process that leaves a rejection alone
  await t.rejects(pieces.next(), /the device is lost/)
  t.equal(reads, 3)
  device.freeTensor(tensor)
})
