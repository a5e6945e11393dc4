import t from 'tap'
import { integerProduct } from '../../../kernels/matmul/integer-product.ts'
import { matmul } from '../../../kernels/matmul/matmul.ts'
import { lowTiles, ntTiles, overTiles, skinnyTiles, unitTiles } from '../../../kernels/matmul/table.ts'
import { gatherRows } from '../../../kernels/rows/gather-rows.ts'
import { dequantise } from '../../../kernels/weights/dequantise.ts'
import { complaints, nullDevice } from '../null-device.ts'

const gpu = await nullDevice()
t.teardown(() => gpu.destroy())

await t.test('a wrong kernel is complained about', async t => {
  const found = await complaints(gpu, recording => {
    const wrong = {
      name: 'wrong',
      params: {},
      buffers: {},
      code: '@compute @workgroup_size(1) fn main() { nothing(); }',
    }
    recording.dispatch(wrong, { params: {}, buffers: {}, grid: 1 })
  })
  t.match(found, [/^wrong:\d+: unresolved call target 'nothing'/])
})

await t.test('every product on matrix units is valid WGSL', async t => {
  const types = ['f32', 'f16'] as const
  const found = await complaints(gpu, recording => {
    for (const form of ['nt', 'nn', 'tn'] as const)
      for (const tile of Object.values({
        ...unitTiles,
        ...overTiles,
        ...skinnyTiles,
        ...(form === 'nt' && { ...ntTiles, low: lowTiles.tall }),
      }))
        for (const type of types)
          for (const size of [256, 64, 33]) {
            const shape = [size, size]
            const [a, b, out] = [type, 'f16' as const, type].map(type =>
              recording.tensor('given', shape, type),
            )
            const extras = {
              bias: recording.tensor('bias', [size]),
              residual: recording.tensor('residual', shape),
            }
            const sizes = { form, rows: size, columns: size, inner: size, tile }
            matmul(recording, { ...sizes, a, b, out })
            matmul(recording, { ...sizes, a, b, out, ...extras, accumulate: true })
            matmul(recording, { ...sizes, a, b, out, ...extras, activation: 'gelu-tanh' })
            matmul(recording, { ...sizes, a, b, out, gate: recording.tensor('gate', shape, type) })
          }
  })
  t.same(found, [])
})

await t.test('products of few rows are valid WGSL', async t => {
  const found = await complaints(gpu, recording => {
    for (const rows of [1, 8, 64]) {
      const [a, b, out] = [
        recording.tensor('a', [rows, 2048]),
        recording.tensor('b', [2560, 2048], 'f16'),
        recording.tensor('out', [rows, 2560]),
      ]
      const sizes = { form: 'nt', rows, columns: 2560, inner: 2048 } as const
      matmul(recording, { ...sizes, a, b, out })
      matmul(recording, { ...sizes, a, b, out, tile: { subgroups: 8, columnBlocks: 1 } })
    }
  })
  t.same(found, [])
})

await t.test('products with integers, their floats and looked-up rows are valid WGSL', async t => {
  const found = await complaints(gpu, recording => {
    const u32 = (label: string, shape: readonly number[]) => recording.tensor(label, shape, 'u32')
    for (const [bits, columns] of [
      [4, 2048],
      [8, 4304],
    ] as const) {
      const shape = [512, columns]
      const integers = u32('integers', [512, (columns * bits) / 32])
      const groups = u32('groups', [512, Math.ceil(columns / 128)])
      const matrix = { bits, groupSize: 128, shape, integers, groups }
      for (const type of ['f32', 'f16'] as const) {
        dequantise(recording, { from: matrix, out: recording.tensor('out', shape, type) })
        for (const rows of [1, 4, 16]) {
          const ends = {
            bias: recording.tensor('bias', [512]),
            gate: recording.tensor('gate', [rows, 512], type),
          }
          const [a, out] = [columns, 512].map(size => recording.tensor('rows', [rows, size], type))
          integerProduct(recording, { rows, a, weight: matrix, out, ...ends })
        }
      }
      const lists = { destinations: u32('to', [1]), offsets: u32('ends', [2]), items: u32('items', [1]) }
      const into = recording.tensor('into', [1, columns])
      gatherRows(recording, { from: matrix, into, ...lists, segments: 1, accumulate: false })
    }
  })
  t.same(found, [])
})
