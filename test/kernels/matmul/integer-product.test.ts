import t from 'tap'
import { type IntegerProduct, integerProduct } from '../../../kernels/matmul/integer-product.ts'
import { matmulReference } from '../../../kernels/matmul/matmul.ts'
import { integerFormats, integerMatrix } from '../integers.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  for (const format of integerFormats)
    await t.test(`products with ${format.bits} bits in groups of ${format.groupSize}`, async t => {
      for (const [rows, columns, inner] of [
        [1, 1, 8],
        [1, 67, 72],
        [3, 33, 256],
        [4, 6, 264],
        [5, 16, 2304],
        [8, 9, 128],
        [9, 20, 136],
        [16, 35, 64],
      ] as const) {
        const { matrix, elements } = integerMatrix(device, [columns, inner], format)
        const x = noise(rows * inner, 7)
        const [a, out] = [given(device, [rows, inner], x), device.tensor('out', [rows, columns])]
        await runOnce(device, recording => integerProduct(recording, { rows, a, weight: matrix, out }))
        const wanted = new Float64Array(rows * columns)
        matmulReference({ form: 'nt', rows, columns, inner, a: x, b: elements, out: wanted })
        close(t, await device.read(out), wanted, 3e-6, `(${rows}, ${columns}, ${inner})`)
      }
    })

  const [rows, columns, inner] = [3, 10, 64]
  const { matrix, elements } = integerMatrix(device, [columns, inner], { bits: 4, groupSize: 32 })
  const x = noise(rows * inner, 1)
  const [bias, residual, gate] = [noise(columns, 2), noise(rows * columns, 3), noise(rows * columns, 4)]
  const tensor = (values: Float32Array<ArrayBuffer>) => given(device, [values.length], values)
  const ends: [string, Partial<Parameters<typeof matmulReference>[0]>, Partial<IntegerProduct>][] = [
    [
      'a bias and a residual',
      { bias, residual },
      { bias: tensor(bias), residual: given(device, [rows, columns], residual) },
    ],
    ['an activation', { activation: 'gelu-tanh' }, { activation: 'gelu-tanh' }],
    ['a gate', { gate }, { gate: given(device, [rows, columns], gate) }],
  ]
  for (const [name, wantedEnd, end] of ends)
    await t.test(`a product ends in ${name}`, async t => {
      const out = device.tensor('out', [rows, columns])
      const a = given(device, [rows, inner], x)
      await runOnce(device, recording => integerProduct(recording, { rows, a, weight: matrix, out, ...end }))
      const wanted = new Float64Array(rows * columns)
      matmulReference({ form: 'nt', rows, columns, inner, a: x, b: elements, out: wanted, ...wantedEnd })
      close(t, await device.read(out), wanted, 3e-6)
    })

  await t.test('a row of a product does not depend on the others', async t => {
    const values = noise(8 * inner, 6)
    const productOf = async (count: number) => {
      const out = device.tensor('out', [count, columns])
      const a = given(device, [count, inner], values.slice(0, count * inner))
      await runOnce(device, recording => integerProduct(recording, { rows: count, a, weight: matrix, out }))
      return device.read(out)
    }
    t.same([...(await productOf(8)).subarray(0, 4 * columns)], [...(await productOf(4))])
  })

  await t.test('rows with gaps are refused', async t => {
    const out = device.tensor('out', [rows, columns])
    const a = { tensor: given(device, [rows, inner + 8], noise(rows * (inner + 8))), rowStride: inner + 8 }
    const recorded = runOnce(device, recording => integerProduct(recording, { rows, a, weight: matrix, out }))
    await t.rejects(recorded, /rows must have no gaps/)
  })
})
