import t from 'tap'
import { fromFloat16, roundToFloat16, toFloat16, toFloat16Bits } from '../../../kernels/device/float16.ts'
import { noise } from '../support.ts'

t.test('every float16 survives the way to a number and back', async t => {
  const finite = Array.from({ length: 0x7c00 }, (_, bits) => bits)
  t.equal(
    finite.find(bits => toFloat16(fromFloat16(bits)) !== bits),
    undefined,
  )
  t.equal(
    finite.find(bits => toFloat16(fromFloat16(bits | 0x8000)) !== (bits | 0x8000)),
    undefined,
  )
})

t.test('values are rounded to the nearest, ties to even', async t => {
  const values = Float32Array.from(noise(20000), (value, i) => value * 2 ** ((i % 40) - 26))
  const ties = Float32Array.of(
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    2 ** -25,
    3 * 2 ** -25,
    2 ** -14 - 2 ** -25,
    2047.5,
  )
  for (const list of [values, ties])
    t.same(
      Array.from(toFloat16Bits(list), fromFloat16),
      Array.from(list, value => roundToFloat16(value) + 0),
    )
})

t.test('what is too large becomes the largest, and NaN stays NaN', async t => {
  const found = Array.from(
    toFloat16Bits(Float32Array.of(65519, 65520, 1e9, Number.POSITIVE_INFINITY, -1e9)),
    fromFloat16,
  )
  t.same(found, [65504, 65504, 65504, 65504, -65504])
  t.ok(Number.isNaN(fromFloat16(toFloat16(Number.NaN))))
})
