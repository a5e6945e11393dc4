import t from 'tap'
import { float16Bits, float16Value } from './float16.ts'

const cases = [
  [0, 0],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff], // the largest
  [65519.9, 0x7bff],
  [65520, 0x7c00],
  [2 ** -14, 0x0400], // the smallest normal
  [2 ** -24, 0x0001], // the smallest
  [2 ** -25, 0x0000], // half of it: a tie, to even
  [1 + 2 ** -11, 0x3c00], // ties, to even
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 - 2 ** -12, 0x4000], // rounds up into the next power
  [0.1, 0x2e66],
] as const

for (const [value, bits] of cases)
  t.test(`${value} is stored as ${bits.toString(16)}`, async t => t.equal(float16Bits(value), bits))

t.test('every half is its own rounding', async t => {
  for (let bits = 0; bits < 0x7c00; bits++)
    if (
      float16Bits(
        float16Value(2 ** -24 * (bits < 1024 ? bits : (1024 + (bits & 1023)) * 2 ** ((bits >> 10) - 1))),
      ) !== bits
    )
      t.fail(`${bits.toString(16)} is not kept`)
})
