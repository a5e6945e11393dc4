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
  // 2048 elements are a stretch of a software adapter's workgroup, 65536 one of a GPU's of 256 lanes.
  const tensors = [1, 7, 2047, 2048, 2049, 65537].map(size => noise(size, size))
  t.same(await sumsOf(...tensors), tensors.map(checksumReference))

  const one = noise(3000)
  const other = one.slice()
  new Uint32Array(other.buffer)[2999] ^= 1
  const swapped = one.slice()
  ;[swapped[0], swapped[1]] = [one[1], one[0]]
  const [a, b, c, d] = await sumsOf(one, other, swapped, one)
  t.not(a, b, 'the last bit of the last element counts')
  t.not(a, c, 'places count')
  t.equal(a, d)
})
