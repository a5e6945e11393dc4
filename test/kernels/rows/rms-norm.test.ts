import t from 'tap'
import { rmsNorm, rmsNormReference } from '../../../kernels/rows/rms-norm.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  // one column, fewer columns than lanes, an exact multiple, and one more than that
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
    close(t, await device.read(y), rmsNormReference(x, gain, 1e-6), 1e-6, `(${rows}, ${columns})`)
  }
})
