import t from 'tap'
import { matmul } from '../../../kernels/matmul/matmul.ts'
import { lowTiles, ntTiles, overTiles, skinnyTiles, unitTiles } from '../../../kernels/matmul/table.ts'
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
