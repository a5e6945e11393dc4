import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { fromFloat16, toFloat16Bits } from '../../../../kernels/device/float16.ts'
import type { Tensor } from '../../../../kernels/device/tensor.ts'
import { openSafetensors, readTensor } from '../../../../operators/model/files/safetensors.ts'
import { type TensorToWrite, writeSafetensors } from '../../../../operators/model/files/safetensors-write.ts'
import { uploadTensors } from '../../../../operators/model/files/upload.ts'
import { noise } from '../../../kernels/support.ts'

const device = await openDevice()
t.teardown(() => device.close())

/** Odd sizes put what follows at every alignment of two bytes. */
const stored: TensorToWrite[] = (
  [
    ['a', [7], 'BF16'],
    ['b', [3, 5], 'F32'],
    ['c', [1], 'F16'],
    ['d', [129], 'BF16'],
    ['e', [33], 'F16'],
    ['f', [0], 'F32'],
    ['g', [1000], 'F32'],
  ] as const
).map(([name, shape, dtype], i) => {
  const size = shape.reduce<number>((product, extent) => product * extent, 1)
  return { name, shape, dtype, chunks: [noise(size, i + 1, 9)] }
})

async function written(folder: string) {
  const path = join(folder, 'model.safetensors')
  await writeSafetensors(path, stored)
  return openSafetensors(path)
}

for (const largestPiece of [8, 24, 256, 1 << 20])
  t.test(`every number arrives in pieces of ${largestPiece} bytes`, async t => {
    const file = await written(t.testdir())
    for (const type of ['f32', 'f16'] as const) {
      // 'c' is left out: a gap in what is read.
      const tensors = new Map<string, Tensor>()
      for (const { name, shape } of stored)
        if (name !== 'c') tensors.set(name, device.tensor(name, shape, type))
      t.equal(await uploadTensors(device, file, tensors, { largestPiece, piecesInFlight: 3 }), 0)
      for (const [name, tensor] of tensors) {
        const wanted: number[] = []
        for await (const piece of readTensor(file, name)) wanted.push(...piece)
        const halves = toFloat16Bits(Float32Array.from(wanted))
        const found = tensor.shape[0] === 0 ? [] : [...(await device.read(tensor))]
        t.same(found, type === 'f32' ? wanted : [...halves].map(fromFloat16), `${name} as ${type}`)
        device.freeTensor(tensor)
      }
    }
  })

t.test('numbers beyond float16 are counted over the whole file', async t => {
  const path = join(t.testdir(), 'model.safetensors')
  const large = Float32Array.from({ length: 50 }, (_, i) => 10000 * i)
  await writeSafetensors(path, [
    { name: 'a', shape: [50], dtype: 'F32', chunks: [large] },
    { name: 'b', shape: [2], dtype: 'BF16', chunks: [Float32Array.of(-1e9, 1)] },
  ])
  const tensors = new Map(
    [['a', 50] as const, ['b', 2] as const].map(([name, size]) => [name, device.tensor(name, [size], 'f16')]),
  )
  const count = await uploadTensors(device, await openSafetensors(path), tensors, { largestPiece: 64 })
  t.equal(count, large.filter(value => value > 65504).length + 1)
  // it is in the map above
  const [first] = await device.read(tensors.get('b') as Tensor)
  t.equal(first, -65504)
})

t.test('a file that lost its end stops the upload with its name, and leaves nothing', async t => {
  const file = await written(t.testdir())
  truncateSync(file.path, file.tensors.get('g')?.begin ?? 0)
  const tensor = device.tensor('g', [1000])
  const before = device.liveBytes
  const loading = uploadTensors(device, file, new Map([['g', tensor]]), { largestPiece: 256 })
  await t.rejects(loading, { code: 'truncated-file', message: /model\.safetensors/ })
  t.equal(device.liveBytes, before)
})

t.test('a tensor of another size is refused', async t => {
  const file = await written(t.testdir())
  const tensor = device.tensor('a', [8])
  await t.rejects(uploadTensors(device, file, new Map([['a', tensor]])), {
    code: 'wrong-shape',
    message: /tensor a: must hold 8 elements, got 7/,
  })
})

t.test('a value that is no finite number is refused with the file and the tensor', async t => {
  for (const [dtype, type, ...bad] of [
    ['BF16', 'f16', Number.NaN, Number.NEGATIVE_INFINITY],
    ['F32', 'f32', Number.NaN, Number.POSITIVE_INFINITY],
    // the writer makes infinity the largest number of float16
    ['F16', 'f16', Number.NaN],
    ['F16', 'f32', Number.NaN],
  ] as const)
    for (const value of bad) {
      const path = join(t.testdir(), 'model.safetensors')
      const values = Float32Array.from({ length: 50 }, (_, i) => (i === 33 ? value : i))
      await writeSafetensors(path, [
        { name: 'a', shape: [50], dtype: 'F32', chunks: [new Float32Array(50)] },
        { name: 'b', shape: [50], dtype, chunks: [values] },
      ])
      const tensors = new Map(['a', 'b'].map(name => [name, device.tensor(name, [50], type)]))
      const before = device.liveBytes
      await t.rejects(uploadTensors(device, await openSafetensors(path), tensors), {
        code: 'not-finite',
        message: `${path}: tensor b: its values must be finite, found NaN or infinity (1 in the file)`,
      })
      t.equal(device.liveBytes, before)
      for (const tensor of tensors.values()) device.freeTensor(tensor)
    }
})
