import t from 'tap'
import { fromFloat16, toFloat16 } from '../../../kernels/device/float16.ts'
import { dequantiseReference } from '../../../kernels/weights/integers.ts'
import { type PackedPart, type Packing, unpackRows } from '../../../kernels/weights/packed-rows.ts'
import { packIntegers } from '../../../operators/model/checkpoint/pack-integers.ts'
import { integerMatrix } from '../integers.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

const packings: Packing[] = [
  { method: 'awq', bits: 4, groupSize: 16, zeroOffset: 0 },
  { method: 'gptq', bits: 4, groupSize: 16, zeroOffset: 1 },
  { method: 'gptq', bits: 8, groupSize: 16, zeroOffset: 0 },
]

const [outputs, inputs] = [24, 40]

/** Stored words that are drawn at random, and the matrix (outputs, inputs) that they mean, as the formats' libraries read it. */
function drawn({ method, bits, groupSize, zeroOffset }: Packing) {
  const groups = Math.ceil(inputs / groupSize)
  const [each, mask] = [32 / bits, 2 ** bits - 1]
  const words = (count: number, seed: number) =>
    Uint32Array.from(noise(count, seed), value => Math.floor((value / 2 + 0.5) * 2 ** 32))
  const integers = words((inputs * outputs) / each, 3)
  const zeros = words((groups * outputs) / each, 4)
  const scales = Uint16Array.from(noise(groups * outputs, 5), value => toFloat16(Math.abs(value) + 0.01))
  // The output of AWQ that lies at each place of a word, from the lowest bits on.
  const order = [0, 2, 4, 6, 1, 3, 5, 7]
  const placeOf = (output: number) => (method === 'awq' ? order.indexOf(output % 8) : output % each)
  const numberOf = (all: Uint32Array, row: number, output: number) =>
    (all[row * (outputs / each) + Math.floor(output / each)] >>> (placeOf(output) * bits)) & mask
  const wanted = Float32Array.from({ length: outputs * inputs }, (_, i) => {
    const [output, input] = [Math.floor(i / inputs), i % inputs]
    const group = Math.floor(input / groupSize)
    const integer =
      method === 'awq'
        ? numberOf(integers, input, output)
        : (integers[Math.floor(input / each) * outputs + output] >>> ((input % each) * bits)) & mask
    const zero = numberOf(zeros, group, output) + zeroOffset
    return fromFloat16(scales[group * outputs + output]) * (integer - zero)
  })
  return { integers, zeros, scales, wanted, groups }
}

await onEachFamily(t, async (device, t) => {
  for (const packing of packings) {
    const { method, bits, groupSize } = packing
    await t.test(`${method}, ${bits} bits: any words are read as the format says, in pieces`, async t => {
      const { integers, zeros, scales, wanted, groups } = drawn(packing)
      const { matrix: to } = integerMatrix(device, [outputs, inputs], { bits, groupSize })
      await runOnce(device, recording => {
        recording.fill(to.integers)
        recording.fill(to.groups)
      })
      const counts = given(device, [2], new Uint32Array(2))
      const unpack = async (
        part: PackedPart,
        stored: Uint32Array | Uint16Array,
        rowsOfAll: number,
        cut: number,
      ) => {
        const bytes = new Uint8Array(stored.buffer)
        const rowBytes = bytes.length / rowsOfAll
        for (const [firstRow, end] of [
          [cut, rowsOfAll],
          [0, cut],
        ] as const) {
          // Two bytes before the piece: words need not begin at a word of the file.
          const padded = new Uint8Array(Math.ceil(((end - firstRow) * rowBytes + 2) / 4) * 4)
          padded.set(bytes.subarray(firstRow * rowBytes, end * rowBytes), 2)
          const raw = given(device, [padded.length / 4], new Uint32Array(padded.buffer))
          const format = part === 'scales' ? 'F16' : 'F32'
          const rows = end - firstRow
          await runOnce(device, recording =>
            unpackRows(recording, { raw, at: 1, format, rows, firstRow, part, packing, to, counts }),
          )
        }
      }
      await unpack(
        'integers',
        integers,
        method === 'awq' ? inputs : (inputs * bits) / 32,
        method === 'awq' ? 16 : 3,
      )
      await unpack('scales', scales, groups, 1)
      await unpack('zeros', zeros, groups, 2)
      const words = {
        integers: await device.readIntegers(to.integers),
        groups: await device.readIntegers(to.groups),
      }
      close(t, dequantiseReference(words, [outputs, inputs], packing), wanted, 0)
    })
  }

  await t.test('rows that split words of AWQ are refused', async t => {
    const { matrix: to } = integerMatrix(device, [outputs, inputs], { bits: 4, groupSize: 16 })
    const raw = given(device, [inputs], new Uint32Array(inputs))
    const [packing] = packings
    const counts = given(device, [2], new Uint32Array(2))
    const options = { raw, at: 0, format: 'F32', rows: 4, firstRow: 0, part: 'integers', to, counts } as const
    if (packing)
      await t.rejects(
        runOnce(device, recording => unpackRows(recording, { ...options, packing })),
        /8 must divide rows of AWQ, got 4/,
      )
  })
})

for (const packing of packings)
  await t.test(`${packing.method}, ${packing.bits} bits: what is packed means the same`, async t => {
    const { integers, zeros, scales, wanted, groups } = drawn(packing)
    // From the meaning of the drawn words back to words.
    const { bits, groupSize, zeroOffset, method } = packing
    const each = 32 / bits
    const order = [0, 2, 4, 6, 1, 3, 5, 7]
    const placeOf = (output: number) => (method === 'awq' ? order.indexOf(output % 8) : output % each)
    const own = {
      integers: new Uint32Array((outputs * inputs) / each),
      groups: Uint32Array.from({ length: outputs * groups }, (_, i) => {
        const [output, group] = [Math.floor(i / groups), i % groups]
        const word = zeros[group * (outputs / each) + Math.floor(output / each)]
        const zero = ((word >>> (placeOf(output) * bits)) & (2 ** bits - 1)) + zeroOffset
        return (scales[group * outputs + output] | (zero << 16)) >>> 0
      }),
    }
    wanted.forEach((value, i) => {
      const [output, input] = [Math.floor(i / inputs), i % inputs]
      const group = own.groups[output * groups + Math.floor(input / groupSize)]
      const integer = Math.round(value / fromFloat16(group & 0xffff)) + (group >>> 16)
      own.integers[Math.floor(i / each)] |= integer << ((i % each) * bits)
    })
    const packed = packIntegers(own, [outputs, inputs], packing)
    t.same([...packed.integers], [...integers])
    t.same([...packed.zeros], [...zeros])
    t.same([...packed.scales], [...scales])
    t.equal(packed.order[inputs - 1], Math.floor((inputs - 1) / groupSize))
  })
