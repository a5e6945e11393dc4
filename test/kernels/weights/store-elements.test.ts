import t from 'tap'
import { toFloat16Bits } from '../../../kernels/device/float16.ts'
import { type RawFormat, storeElements } from '../../../kernels/weights/store-elements.ts'
import { fromFloat32, toFloat32 } from '../../../operators/model/files/float-formats.ts'
import { noise, onEachFamily, runOnce } from '../support.ts'

/** Every exponent with both signs, the ends of the ranges and their neighbours, and ties of rounding. */
const awkward = Float32Array.of(
  ...[
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    65504,
    65519.996,
    65520,
    -65520,
    1e30,
  ],
  ...[
    2 ** -14,
    2 ** -14 - 2 ** -25,
    2 ** -24,
    2 ** -25,
    2 ** -25 * 1.0001,
    -(2 ** -25) * 3,
    2 ** -26,
    1e-45,
    1.17e-38,
  ],
  ...[1 + 2 ** -11, 1 + 3 * 2 ** -11, 2049, 2051, -3.0009765625],
  ...Array.from({ length: 256 }, (_, i) => (i % 3 ? 1 : -1.37) * 2 ** (i - 128)),
)

await onEachFamily(t, async (device, t) => {
  const values = Float32Array.of(...awkward, ...noise(2000, 3, 9))
  for (const format of ['BF16', 'F16', 'F32'] satisfies RawFormat[])
    for (const type of ['f32', 'f16'] as const)
      await t.test(`${format} is stored as ${type} with every bit right, and nothing around it`, async t => {
        for (const [skipped, count, first] of [
          [0, values.length, 0],
          [1, 1, 0],
          [3, values.length - 7, 6],
          [2, 1025, 2],
        ]) {
          const bytes = fromFloat32(values, format)
          // The elements start `skipped` half words into the file.
          const padded = new Uint8Array(Math.ceil((skipped * 2 + bytes.length) / 4) * 4)
          padded.set(bytes, skipped * 2)
          const raw = device.tensor('raw', [padded.length / 4], 'u32', new Uint32Array(padded.buffer))
          const size = first + count + 3
          const to = device.tensor('to', [size], type)
          const counts = device.tensor('counts', [2], 'u32')
          await runOnce(device, recording =>
            storeElements(recording, { raw, at: skipped, format, count, to, first, counts }),
          )
          const wide = toFloat32(bytes.slice(), format).subarray(0, count)
          const wanted = type === 'f32' ? new Uint32Array(wide.buffer, 0, count) : toFloat16Bits(wide)
          const found =
            type === 'f32'
              ? new Uint32Array(await device.readBytes(to))
              : new Uint16Array(await device.readBytes(to))
          const name = `${count} elements from ${skipped} to ${first}`
          const different = wanted.findIndex((bits, i) => {
            // Float16 is copied without conversion, so NaN and infinity keep their bits.
            const expected = type === 'f16' && format === 'F16' ? toHalf(bytes, i) : bits
            return found[first + i] !== expected
          })
          t.equal(different, -1, `${name}: every bit is right`)
          t.ok(
            found.subarray(0, first).every(bits => bits === 0),
            `${name}: no element before is written`,
          )
          t.ok(
            found.subarray(first + count).every(bits => bits === 0),
            `${name}: no element after is written`,
          )
          const beyond = wide.filter(value => Math.abs(value) >= 65520).length
          const [counted, notFinite] = await device.readIntegers(counts)
          t.equal(
            counted,
            type === 'f16' && format !== 'F16' ? beyond : 0,
            `${name}: values outside the range are counted`,
          )
          t.equal(
            notFinite,
            wide.filter(value => !Number.isFinite(value)).length,
            `${name}: values that are no finite number are counted`,
          )
          for (const tensor of [raw, to, counts]) device.freeTensor(tensor)
        }
      })
})

function toHalf(bytes: Uint8Array, i: number): number {
  return bytes[2 * i] | (bytes[2 * i + 1] << 8)
}
