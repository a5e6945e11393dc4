import t from 'tap'
import { columnSum, columnSumReference } from '../../../kernels/rows/column-sum.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  // one number; odd; packed; one chunk of rows and one row more; chunks of chunks; more columns than a workgroup
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
    await runOnce(device, recording => columnSum(recording, { x: given(device, [rows, columns], x), out }))
    close(t, await device.read(out), columnSumReference(x, before), 1e-5, `(${rows}, ${columns})`)
  }
})
