import t from 'tap'
import { layerNorm, layerNormReference } from '../../../kernels/rows/layer-norm.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

// one column, odd, fewer columns than lanes, packed, an exact multiple of a GPU's workgroup, and one more than that
const shapes = [
  [1, 1],
  [3, 5],
  [2, 12],
  [4, 128],
  [2, 129],
  [3, 516],
] as const

await onEachFamily(t, async (device, t) => {
  await t.test('each row gets mean 0 and variance 1, then gain and bias', async t => {
    for (const [rows, columns] of shapes) {
      const x = noise(rows * columns, 1).map(v => v + 10) // a mean far from zero: a one-pass variance would cancel
      const [gain, bias] = [noise(columns, 2), noise(columns, 3)]
      const y = device.tensor('y', [rows, columns])
      await runOnce(device, recording =>
        layerNorm(recording, {
          x: given(device, [rows, columns], x),
          gain: given(device, [columns], gain),
          bias: given(device, [columns], bias),
          y,
          epsilon: 1e-5,
        }),
      )
      close(t, await device.read(y), layerNormReference(x, gain, bias, 1e-5), 1e-5, `(${rows}, ${columns})`)
    }
  })
})
