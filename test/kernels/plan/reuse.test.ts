import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { add } from '../../../kernels/elementwise/activations.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { compileOrReuse, freeIdleRecordings } from '../../../kernels/plan/reuse.ts'

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())

const owner = {}

/** total = from + 1, for lists of that length. */
async function added(
  from: number[],
  mine: object = owner,
): Promise<{ total: number[]; free: () => void; buffers: unknown }> {
  const recording = new Recording(device)
  const size = from.length
  const total = recording.constant('total', [size], new Float32Array(size).fill(1))
  add(recording, recording.constant('from', [size], Float32Array.from(from)), total)
  const compiled = await compileOrReuse(device, recording, 'test', mine)
  compiled.run()
  return {
    total: Array.from(await compiled.read(total)),
    free: () => compiled.free(),
    buffers: compiled.at(total).storage?.buffer,
  }
}

await t.test(
  'a plan that does the same gets the memory of one that was given back, and its own constants',
  async t => {
    const first = await added([1, 2, 3])
    const live = device.liveBytes
    first.free()
    t.ok(device.liveBytes < live, 'what waits is not live')
    t.ok(device.idleBytes > 0)
    const second = await added([5, 6, 7])
    t.same(second.total, [6, 7, 8])
    t.equal(second.buffers, first.buffers)
    t.equal(device.liveBytes, live)
    second.free()
  },
)

await t.test('a plan in use is not shared', async t => {
  const [first, second] = [await added([1, 2, 3]), await added([4, 5, 6])]
  t.not(first.buffers, second.buffers)
  t.same(
    [first.total, second.total],
    [
      [2, 3, 4],
      [5, 6, 7],
    ],
  )
  first.free()
  second.free()
})

await t.test('a plan of other sizes gets memory of its own', async t => {
  const first = await added([1, 2, 3])
  first.free()
  const second = await added([1, 2, 3, 4, 5])
  t.not(second.buffers, first.buffers)
  t.same(second.total, [2, 3, 4, 5, 6])
  second.free()
})

await t.test('one plan of an owner waits, until the owner ends', async t => {
  freeIdleRecordings(device, owner)
  t.same([device.idleBytes, device.liveBytes], [0, 0])
  const [first, second] = [await added([1]), await added([1, 2, 3])]
  const both = device.liveBytes
  first.free()
  second.free()
  t.equal(device.idleBytes, both / 2, 'the last one, of those in use at once')
  const large = await added(new Array(1000).fill(1))
  t.equal(device.idleBytes, 0, 'another one takes its place')
  large.free()
  const other = {}
  const theirs = await added([1, 2, 3], other)
  theirs.free()
  t.ok(device.idleBytes > both / 2, 'what another owner has given back waits beside it')
  freeIdleRecordings(device, owner)
  t.equal(device.idleBytes, both / 2)
  freeIdleRecordings(device, other)
  t.same([device.idleBytes, device.liveBytes], [0, 0])
})

await t.test('nothing waits on a device without matrix units', async t => {
  const plain = await openDevice({ family: 'gpu', units: 'none' })
  t.teardown(() => plain.close())
  const recording = new Recording(plain)
  recording.fill(recording.pin('zeros', [4]))
  const compiled = await compileOrReuse(plain, recording, 'test', owner)
  compiled.free()
  t.same([plain.idleBytes, plain.liveBytes], [0, 0])
})
