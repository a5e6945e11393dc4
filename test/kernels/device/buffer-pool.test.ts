import t from 'tap'
import { BufferPool, roomFor } from '../../../kernels/device/buffer-pool.ts'

/** A pool of buffers that are only sizes, with the sizes that were made and destroyed. */
function pool() {
  const [made, destroyed]: [number[], number[]] = [[], []]
  const buffers = new BufferPool({
    most: 2 ** 20,
    make(_label, size) {
      made.push(size)
      return { size } as GPUBuffer // of which the pool reads nothing else
    },
    destroy: ({ size }) => destroyed.push(size),
  })
  return { buffers, made, destroyed }
}

t.test('a buffer that was given back is lent again, the wanted one first', async t => {
  const { buffers, made } = pool()
  const [a, b] = [buffers.borrow('a', 4096), buffers.borrow('b', 4096)]
  t.not(a, b)
  t.ok(buffers.giveBack(a))
  t.ok(buffers.giveBack(b))
  t.equal(buffers.borrow('c', 4000, b), b)
  t.equal(buffers.borrow('c', 4000, b), a, 'another one while that is lent')
  t.same(made, [4096, 4096])
})

t.test('a small need does not take a large buffer', async t => {
  const { buffers, made } = pool()
  buffers.giveBack(buffers.borrow('large', 65536))
  buffers.borrow('small', 1024)
  t.same(made, [65536, 1024])
})

t.test('a buffer that has become a little too small is replaced', async t => {
  const { buffers, destroyed } = pool()
  buffers.giveBack(buffers.borrow('first', 40000))
  buffers.giveBack(buffers.borrow('second', 60000))
  t.equal(destroyed.length, 1)
  t.ok(buffers.idleBytes >= 60000 && buffers.idleBytes < 70000)
})

t.test('a buffer of somebody else is not taken, and a cleared pool holds nothing', async t => {
  const { buffers, destroyed } = pool()
  t.notOk(buffers.giveBack({ size: 256 } as GPUBuffer)) // of which the pool reads nothing else
  buffers.giveBack(buffers.borrow('a', 4096))
  buffers.clear()
  t.same([buffers.idleBytes, destroyed], [0, [4096]])
})

t.test('sizes come in steps of an eighth, up to the largest', async t => {
  for (const bytes of [256, 1000, 5000, 123456, 900001])
    t.ok(roomFor(bytes, 2 ** 20) >= bytes && roomFor(bytes, 2 ** 20) <= Math.max(256, bytes) * 1.125 + 256)
  t.equal(roomFor(123456, 2 ** 20), roomFor(125000, 2 ** 20))
  t.equal(roomFor(1048000, 2 ** 20 - 256), 2 ** 20 - 256)
})
