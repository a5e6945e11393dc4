import t from 'tap'
import { rmsNorm, rmsNormReference } from '../../../kernels/rows/rms-norm.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

t.test('a row of equal numbers becomes the gain', async t => {
  close(t, rmsNormReference([3, 3, 3, 3], [1, 2, 3, 4], 0), [1, 2, 3, 4], 1e-15)
})

await onEachFamily(t, async (device, t) => {
  await t.test('each row is divided by its root mean square and multiplied by the gain', async t => {
    // One column, fewer columns than lanes, a full workgroup, and one column more.
    for (const [rows, columns] of [
      [1, 1],
      [3, 5],
      [4, 128],
      [2, 129],
    ] as const) {
      const x = noise(rows * columns, 1)
      const gain = noise(columns, 2)
      const y = device.tensor('y', [rows, columns])
      await runOnce(device, recording =>
        rmsNorm(recording, given(device, [rows, columns], x), given(device, [columns], gain), y, 1e-6),
      )
      close(t, await device.read(y), rmsNormReference(x, gain, 1e-6), 1e-6, `${rows} rows of ${columns}:`)
    }
  })
})
