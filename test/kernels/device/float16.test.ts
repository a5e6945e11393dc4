import t from 'tap'
import { fromFloat16, fromFloat16Bits, toFloat16, toFloat16Bits } from '../../../kernels/device/float16.ts'
import { float16Bits, float16Value } from '../../oracle/float16.ts'
import { noise } from '../support.ts'

t.test('a finite float16 turned into a number and back keeps its bits', async t => {
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

t.test('many float16 are read as the numbers that one at a time gives', async t => {
  const halves = Uint16Array.of(0, 1, 0x3c00, 0x3ff, 0x7bff, 0xc000, 0x8001)
  const values = Array.from(halves, fromFloat16)
  t.same(values.slice(1, 6), [2 ** -24, 1, 1023 * 2 ** -24, 65504, -2])
  t.same(Array.from(fromFloat16Bits(halves)), values)
  t.same(
    values.map(value => float16Value(value)),
    values,
    'each is a float16',
  )
})

t.test('a number becomes the nearest float16, of two the one with an even fraction', async t => {
  const values = Float32Array.from(noise(20000), (value, i) => value * 2 ** ((i % 40) - 26))
  const ties = Float32Array.of(
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    2 ** -25,
    3 * 2 ** -25,
    2 ** -14 - 2 ** -25,
    2047.5,
  )
  for (const list of [values, ties]) t.same(Array.from(toFloat16Bits(list)), Array.from(list, float16Bits))
})

t.test('a number outside the range becomes the largest float16, and NaN stays NaN', async t => {
  const values = Array.from(
    toFloat16Bits(Float32Array.of(65519, 65520, 1e9, Number.POSITIVE_INFINITY, -1e9)),
    fromFloat16,
  )
  t.same(values, [65504, 65504, 65504, 65504, -65504])
  t.ok(Number.isNaN(fromFloat16(toFloat16(Number.NaN))))
})
