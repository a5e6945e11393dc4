import t from 'tap'
import { fromFloat32, toFloat32 } from '../../../../operators/model/files/float-formats.ts'

const halves = (...words: number[]) => new Uint8Array(Uint16Array.from(words).buffer)
const floats = (...words: number[]) => new Float32Array(Uint32Array.from(words).buffer)

t.test('every float16 becomes the float32 of its value', async t => {
  const found = toFloat32(halves(...Array.from({ length: 65536 }, (_, word) => word)), 'F16')
  let wrong = 0
  found.forEach((value, word) => {
    const exponent = (word >> 10) & 31
    const fraction = word & 1023
    const sign = word >> 15 ? -1 : 1
    const finite = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24
    const expected = exponent < 31 ? sign * finite : fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    if (!Object.is(value, expected)) wrong++
  })
  t.equal(wrong, 0)
})

t.test('bfloat16 is the upper half of a float32', async t => {
  const found = toFloat32(halves(0x3f80, 0xc000, 0x0001, 0x7f80, 0x8000), 'BF16')
  t.strictSame([...found], [1, -2, 2 ** -133, Number.POSITIVE_INFINITY, -0])
})

t.test('bytes that do not begin on a word are read all the same', async t => {
  const bytes = new Uint8Array(6)
  bytes.set(halves(0x3f80, 0x4000), 1)
  t.strictSame([...toFloat32(bytes.subarray(1, 5), 'BF16')], [1, 2])
})

t.test('rounding to bfloat16 goes to the nearest, halves to the even one', async t => {
  const values = floats(
    0x3f808000,
    0x3f818000,
    0x3f808001,
    0x3f807fff,
    0x7f7fffff,
    0x80000001,
    0x7fc00000,
    0x7f800001,
    0xff800000,
  )
  const words = new Uint16Array(fromFloat32(values, 'BF16').slice().buffer)
  t.strictSame([...words], [0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80, 0x8000, 0x7fc0, 0x7fc0, 0xff80])
})

t.test('what bfloat16 holds survives both ways', async t => {
  const values = Float32Array.of(0, -0, 1, -2.5, 2 ** -133, 3.3895313892515355e38)
  t.strictSame([...toFloat32(new Uint8Array(fromFloat32(values, 'BF16')), 'BF16')], [...values])
})
