import t from 'tap'
import { scaleColumns, scaleColumnsReference } from '../../../kernels/elementwise/scale-columns.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  await t.test('each column is multiplied by its gain, and the residual is added', async t => {
    // One number, an odd width, whole packs, and more than a workgroup.
    for (const [rows, columns] of [
      [1, 1],
      [3, 5],
      [2, 8],
      [131, 12],
      [300, 7],
    ] as const) {
      const size = rows * columns
      const [x, gain, residual] = [noise(size, 1), noise(columns, 2), noise(size, 3)]
      const tensors = { x: given(device, [rows, columns], x), gain: given(device, [columns], gain) }
      const [y, plain] = ['y', 'plain'].map(label => device.tensor(label, [rows, columns]))
      const added = given(device, [rows, columns], residual)
      await runOnce(device, recording => {
        const from = given(device, [rows, columns], residual)
        scaleColumns(recording, { ...tensors, residual: from, y })
        scaleColumns(recording, { ...tensors, y: plain })
        scaleColumns(recording, { ...tensors, y: added, accumulate: true })
      })
      const wanted = scaleColumnsReference(x, gain, residual)
      const none = new Float32Array(size)
      close(t, await device.read(y), wanted, 1e-6, `${rows} × ${columns}:`)
      close(t, await device.read(added), wanted, 1e-6, `${rows} × ${columns}, accumulated:`)
      close(
        t,
        await device.read(plain),
        scaleColumnsReference(x, gain, none),
        1e-6,
        `${rows} × ${columns}, alone:`,
      )
    }
  })
})
