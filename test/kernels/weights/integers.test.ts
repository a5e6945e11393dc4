import t from 'tap'
import { fromFloat16 } from '../../../kernels/device/float16.ts'
import { gatherRows } from '../../../kernels/rows/gather-rows.ts'
import { dequantise } from '../../../kernels/weights/dequantise.ts'
import {
  dequantiseReference,
  type IntegerFormat,
  quantiseReference,
  rowWords,
} from '../../../kernels/weights/integers.ts'
import { quantiseRows } from '../../../kernels/weights/quantise.ts'
import { fromFloat32 } from '../../../operators/model/files/float-formats.ts'
import { integerFormats, integerMatrix } from '../integers.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

const named = ({ bits, groupSize }: IntegerFormat) => `${bits} bits in groups of ${groupSize}`

/** The largest distance of elements from what they were rounded from, in steps of their group's scale. */
function worstStep(
  values: Float32Array,
  words: { integers: ArrayLike<number>; groups: ArrayLike<number> },
  shape: readonly number[],
  format: IntegerFormat,
): number {
  const [, columns = 0] = shape
  const elements = dequantiseReference(words, shape, format)
  const { groups } = rowWords(columns, format)
  return values.reduce((worst, value, i) => {
    const group =
      words.groups[Math.floor(i / columns) * groups + Math.floor((i % columns) / format.groupSize)]
    const scale = fromFloat16(group & 0xffff)
    const distance = Math.abs(elements[i] - value)
    return Math.max(worst, distance === 0 ? 0 : distance / scale)
  }, 0)
}

for (const format of integerFormats)
  await t.test(`${named(format)}: no element is further from its value than half a step`, async t => {
    const shape = [5, 72]
    const values = noise(360, 3, 0.1)
    // A group of zeros, of one sign, and of numbers so small that float16 holds their scale with few bits.
    values.fill(0, 0, 32)
    for (let i = 72; i < 144; i++) values[i] = Math.abs(values[i]) + 0.2
    for (let i = 144; i < 216; i++) values[i] *= 1e-4
    const words = quantiseReference(values, shape, format)
    // A scale that was rounded down leaves out a part of the last step.
    t.ok(worstStep(values, words, shape, format) < 0.5 + 255 * 2 ** -6, 'also where the scale has few bits')
    const plain = values.subarray(216)
    const worst = worstStep(plain, quantiseReference(plain, [2, 72], format), [2, 72], format)
    t.ok(worst <= 0.5 + 255 * 2 ** -11 && worst > 0.3, `${worst} steps`)
    t.same([...dequantiseReference(words, shape, format).subarray(0, 16)], new Array(16).fill(0))
  })

await t.test('integers that are multiples of a scale come back as they were', async t => {
  const shape = [3, 16]
  const values = Float32Array.from({ length: 48 }, (_, i) => ((i % 16) - 7) / 32)
  const format = { bits: 4, groupSize: 16 } as const
  t.same([...dequantiseReference(quantiseReference(values, shape, format), shape, format)], [...values])
})

await t.test('rows that 8 does not divide are refused', async t => {
  t.throws(() => rowWords(12, { bits: 4, groupSize: 32 }), /8 must divide columns and groups, got 12/)
  t.throws(() => rowWords(16, { bits: 4, groupSize: 12 }), /got 16 in groups of 12/)
})

await onEachFamily(t, async (device, t) => {
  for (const format of integerFormats)
    await t.test(`${named(format)}: rows of a file are rounded as by the reference`, async t => {
      for (const raw of ['F32', 'BF16', 'F16'] as const) {
        const shape = [7, 72]
        const values = noise(504, 5, 0.3)
        values.fill(0, 72, 144)
        const bytes = fromFloat32(values, raw)
        const rounded = new Float32Array(504)
        const size = bytes.length / 504
        const to = integerMatrix(device, shape, format, 9).matrix
        const counts = given(device, [2], new Uint32Array(2))
        // In two pieces, which begin at other places of the file.
        for (const [firstRow, rows, skipped] of [
          [0, 4, 2],
          [4, 3, 0],
        ] as const) {
          const part = bytes.subarray(firstRow * 72 * size, (firstRow + rows) * 72 * size)
          const padded = new Uint8Array(Math.ceil((part.length + skipped * 2) / 4) * 4)
          padded.set(part, skipped * 2)
          const file = given(device, [padded.length / 4], new Uint32Array(padded.buffer))
          await runOnce(device, recording =>
            quantiseRows(recording, { raw: file, at: skipped, format: raw, rows, firstRow, to, counts }),
          )
        }
        const { toFloat32 } = await import('../../../operators/model/files/float-formats.ts')
        rounded.set(toFloat32(Uint8Array.from(bytes), raw))
        const found = {
          integers: await device.readIntegers(to.integers),
          groups: await device.readIntegers(to.groups),
        }
        t.ok(worstStep(rounded, found, shape, format) <= 0.5 + 255 * 2 ** -11, `${raw}: within half a step`)
        const wanted = quantiseReference(rounded, shape, format)
        const differing = wanted.groups.filter((word, i) => word !== found.groups[i] >>> 0).length
        t.ok(differing <= 1, `${raw}: scales and zeros are those of the reference, but for ties`)
        t.same([...(await device.readIntegers(counts))], [0, 0])
      }
    })

  await t.test('a number that is none is counted', async t => {
    const values = noise(64, 2)
    values[3] = Number.NaN
    values[40] = Number.NEGATIVE_INFINITY
    const counts = given(device, [2], new Uint32Array(2))
    const raw = given(device, [64], new Uint32Array(values.buffer))
    const to = integerMatrix(device, [2, 32], { bits: 8, groupSize: 32 }).matrix
    await runOnce(device, recording =>
      quantiseRows(recording, { raw, at: 0, format: 'F32', rows: 2, firstRow: 0, to, counts }),
    )
    t.equal((await device.readIntegers(counts))[1], 2)
  })

  for (const format of integerFormats)
    await t.test(`${named(format)}: elements are those of the reference`, async t => {
      for (const [rows, columns] of [
        [1, 8],
        [3, 72],
        [65, 136],
      ] as const) {
        const { matrix, elements } = integerMatrix(device, [rows, columns], format)
        const out = device.tensor('out', [rows, columns], 'f32')
        await runOnce(device, recording => dequantise(recording, { from: matrix, out }))
        close(t, await device.read(out), elements, 1e-7, `(${rows}, ${columns})`)
      }
    })

  for (const format of integerFormats)
    await t.test(`${named(format)}: rows are looked up`, async t => {
      const { matrix, elements } = integerMatrix(device, [6, 72], format)
      const into = given(device, [3, 72], noise(216, 4))
      const list = (...values: number[]) => given(device, [values.length], Uint32Array.from(values))
      await runOnce(device, recording =>
        gatherRows(recording, {
          from: matrix,
          into,
          destinations: list(2, 0),
          offsets: list(0, 1, 2),
          items: list(5, 1),
          segments: 2,
          accumulate: false,
        }),
      )
      const found = await device.read(into)
      close(t, found.subarray(0, 72), elements.subarray(72, 144), 1e-7)
      close(t, found.subarray(144), elements.subarray(360), 1e-7)
    })
})
