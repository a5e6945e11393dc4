import t from 'tap'
import { checksum, checksumReference } from '../../../kernels/weights/checksum.ts'
import { given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  const sumsOf = async (...tensors: Float32Array<ArrayBuffer>[]) => {
    const sums = given(device, [tensors.length], new Uint32Array(tensors.length))
    await runOnce(device, recording => {
      for (const [index, x] of tensors.entries())
        checksum(recording, { x: given(device, [x.length], x), sums, index })
    })
    return Array.from(await device.readIntegers(sums), sum => sum >>> 0)
  }
  await t.test('sums of any size are those of the reference', async t => {
    // A workgroup of a software adapter adds 2048 elements, one of a GPU 65536.
    const tensors = [1, 7, 2047, 2048, 2049, 65537].map(size => noise(size, size))
    t.same(await sumsOf(...tensors), tensors.map(checksumReference))
  })

  await t.test('one changed bit, or two exchanged elements, change the sum', async t => {
    const one = noise(3000)
    const other = one.slice()
    new Uint32Array(other.buffer)[2999] ^= 1
    const swapped = one.slice()
    ;[swapped[0], swapped[1]] = [one[1], one[0]]
    const [a, b, c, d] = await sumsOf(one, other, swapped, one)
    t.not(a, b, 'the lowest bit of the last element was changed')
    t.not(a, c, 'the first two elements were exchanged')
    t.equal(a, d, 'equal tensors have equal sums')
  })
})
