import t from 'tap'
import { advance } from '../../../kernels/decode/key-value-cache.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { add } from '../../../kernels/elementwise/activations.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { compileOrReuse, freeIdleRecordings } from '../../../kernels/plan/reuse.ts'
import { countCreations, difference } from '../creations.ts'

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())
const creations = countCreations(device.gpu)

const owner = {}

/** Adds 1 to each of the numbers, in a recording for as many, and 2 to a sum that starts from 0. */
async function more(numbers: readonly number[], mine: object = owner) {
  const size = numbers.length
  const { compiled, made } = await compileOrReuse(device, {
    owner: mine,
    label: 'test',
    key: `${size}`,
    precision: 'float32',
    record(recording) {
      const about = { numbers }
      const list = recording.input('list', [size], () => Uint32Array.from(about.numbers))
      advance(recording, { position: list, limit: 1000 })
      const sum = recording.pin('sum', [size])
      recording.fill(sum)
      add(recording, recording.constant('two', [size], new Float32Array(size).fill(2)), sum)
      return { about, list, sum }
    },
    renew: earlier => {
      earlier.about.numbers = numbers
    },
  })
  compiled.run()
  return {
    list: Array.from(await compiled.readIntegers(made.list)),
    sum: Array.from(await compiled.read(made.sum)),
    buffer: compiled.at(made.sum).storage?.buffer,
    free: compiled.free,
  }
}

await t.test('a second use of a key makes nothing on the GPU and gets its own inputs', async t => {
  const first = await more([1, 2, 3])
  t.same(first.list, [2, 3, 4])
  const live = device.liveBytes
  first.free()
  t.ok(device.liveBytes < live, 'what waits is not live')
  t.ok(device.idleBytes > 0)
  const before = creations()
  const second = await more([5, 6, 7])
  t.same(difference(before, creations()), {})
  t.same(
    [second.list, second.sum],
    [
      [6, 7, 8],
      [2, 2, 2],
    ],
  )
  t.equal(second.buffer, first.buffer)
  t.equal(device.liveBytes, live)
  second.free()
})

await t.test('two uses of a key at once have memory and inputs of their own', async t => {
  const [first, second] = [await more([1, 2, 3]), await more([4, 5, 6])]
  t.not(first.buffer, second.buffer)
  t.same(
    [first.list, second.list],
    [
      [2, 3, 4],
      [5, 6, 7],
    ],
  )
  first.free()
  second.free()
})

await t.test('recordings of other sizes share the memory, one after the other', async t => {
  freeIdleRecordings(device, owner)
  const first = await more([1, 2, 3])
  first.free()
  const second = await more([1, 2, 3, 4, 5])
  t.equal(second.buffer, first.buffer)
  t.same(
    [second.list, second.sum],
    [
      [2, 3, 4, 5, 6],
      [2, 2, 2, 2, 2],
    ],
  )
  second.free()
})

await t.test('memory grows by being replaced, so that no small pieces are left', async t => {
  freeIdleRecordings(device, owner)
  const small = await more(new Array(1000).fill(1))
  small.free()
  const { idleBytes } = device
  const large = await more(new Array(2000).fill(1))
  large.free()
  t.ok(device.idleBytes < 3 * idleBytes, `${device.idleBytes} are not ${idleBytes} and twice as much`)
})

await t.test(
  'when the last owner ends nothing is kept; one that is in use stays until it is freed',
  async t => {
    freeIdleRecordings(device, owner)
    t.same([device.idleBytes, device.liveBytes], [0, 0])
    const other = {}
    for (const mine of [owner, other]) (await more([1, 2, 3], mine)).free()
    freeIdleRecordings(device, owner)
    t.ok(device.idleBytes > 0, "another owner's")
    const used = await more([1, 2, 3], other)
    freeIdleRecordings(device, other)
    t.ok(device.liveBytes > 0)
    used.free()
    device.freeIdle()
    t.same([device.idleBytes, device.liveBytes], [0, 0])
  },
)

await t.test('the recordings that were not used for longest go first', async t => {
  const plain = await openDevice({ family: 'gpu', units: 'none' })
  t.teardown(() => plain.close())
  const recorded: number[] = []
  const use = async (size: number) => {
    const { compiled } = await compileOrReuse(plain, {
      owner,
      label: 'test',
      key: `${size}`,
      precision: 'float32',
      record: recording => {
        recorded.push(size)
        recording.fill(recording.pin('zeros', [size]))
      },
    })
    compiled.free()
  }
  for (let size = 1; size <= 8; size++) await use(size)
  await use(1)
  await use(9)
  await use(1)
  await use(2)
  t.same(recorded, [1, 2, 3, 4, 5, 6, 7, 8, 9, 2])
})

await t.test('a kernel that writes a constant is refused', async t => {
  const recording = new Recording(device)
  const total = recording.constant('total', [4], new Float32Array(4))
  add(recording, recording.pin('from', [4]), total)
  await t.rejects(compile(device, recording, 'test'), { message: /must not write the constant "total"/ })
})
