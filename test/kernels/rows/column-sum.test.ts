import t from 'tap'
import { fromFloat16, toFloat16Bits } from '../../../kernels/device/float16.ts'
import { columnSum, columnSumReference } from '../../../kernels/rows/column-sum.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  await t.test(
    'the sum of each column is added to the numbers before, also over many chunks of rows',
    async t => {
      // One number; odd; packed; two chunks of rows, and one row more; many chunks; more columns than a workgroup has lanes.
      for (const [rows, columns] of [
        [1, 1],
        [3, 5],
        [128, 8],
        [129, 12],
        [8300, 3],
        [130, 1031],
      ] as const) {
        const [x, before] = [noise(rows * columns, 1), noise(columns, 2)]
        const out = given(device, [columns], before)
        await runOnce(device, recording =>
          columnSum(recording, { x: given(device, [rows, columns], x), out }),
        )
        close(t, await device.read(out), columnSumReference(x, before), 1e-5, `${rows} rows of ${columns}:`)
      }
    },
  )

  await t.test('the numbers may be float16', async t => {
    for (const [rows, columns] of [
      [3, 6],
      [129, 12],
    ] as const) {
      const bits = toFloat16Bits(noise(rows * columns, 1))
      const x = device.tensor('x', [rows, columns], 'f16', bits)
      const out = given(device, [columns], noise(columns, 2))
      await runOnce(device, recording => columnSum(recording, { x, out }))
      const wanted = columnSumReference(Array.from(bits, fromFloat16), noise(columns, 2))
      close(t, await device.read(out), wanted, 1e-5, `${rows} rows of ${columns}:`)
    }
  })
})
