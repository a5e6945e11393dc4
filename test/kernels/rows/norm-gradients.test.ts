import t from 'tap'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import { layerNormBackward, layerNormReference } from '../../../kernels/rows/layer-norm.ts'
import { rmsNormBackward, rmsNormReference } from '../../../kernels/rows/rms-norm.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

// One column, odd, packed, one column more than a workgroup has lanes, and more rows than two chunks of a column sum.
const shapes = [
  [1, 1],
  [3, 5],
  [2, 12],
  [2, 129],
  [129, 2],
] as const
const epsilon = 0.01 // large, so that its place in the formula shows

await onEachFamily(t, async (device, t) => {
  for (const [rows, columns] of shapes)
    await t.test(
      `the gradients of norms over ${rows} rows of ${columns} are the slopes of the references`,
      async t => {
        const [x, gain, bias] = [noise(rows * columns, 1), noise(columns, 2), noise(columns, 3)]
        const [outer, before] = [noise(rows * columns, 4), noise(rows * columns, 5)]
        const full = (data: Float32Array<ArrayBuffer>) => given(device, [rows, columns], data)
        const column = (data: Float32Array<ArrayBuffer>) => given(device, [columns], data)
        const [inputs, gains, dy] = [full(x), column(gain), full(outer)]
        const plus = (slopes: readonly number[]): number[] => slopes.map((slope, i) => slope + before[i])

        const rms = (v: ArrayLike<number>, g: ArrayLike<number>): number[] => rmsNormReference(v, g, epsilon)
        const rmsSlopes = finiteDifferences(v => rms(v, gain), x, outer)
        const rmsGain = finiteDifferences(g => rms(x, g), gain, outer)
        const layer = (v: ArrayLike<number>, g: ArrayLike<number>, b: ArrayLike<number>): number[] =>
          layerNormReference(v, g, b, epsilon)
        const layerSlopes = finiteDifferences(v => layer(v, gain, bias), x, outer)
        const layerGain = finiteDifferences(g => layer(x, g, bias), gain, outer)
        const layerBias = finiteDifferences(b => layer(x, gain, b), bias, outer)

        for (const accumulate of [false, true]) {
          const [dx, gainGradient] = [full(before), column(before.slice(0, columns))]
          await runOnce(device, recording =>
            rmsNormBackward(recording, { x: inputs, gain: gains, dy, dx, accumulate, gainGradient, epsilon }),
          )
          const name = accumulate ? ', added' : ''
          near(
            t,
            await device.read(dx),
            accumulate ? plus(rmsSlopes) : rmsSlopes,
            `input of an rms norm${name}`,
          )
          near(t, await device.read(gainGradient), plus(rmsGain), `gain of an rms norm${name}`)
        }
        for (const accumulate of [false, true]) {
          const dx = full(before)
          const [gainGradient, biasGradient] = [
            column(before.slice(0, columns)),
            column(before.slice(0, columns)),
          ]
          await runOnce(device, recording =>
            layerNormBackward(recording, {
              x: inputs,
              gain: gains,
              dy,
              dx,
              accumulate,
              gainGradient,
              biasGradient,
              epsilon,
            }),
          )
          const name = accumulate ? ', added' : ''
          near(
            t,
            await device.read(dx),
            accumulate ? plus(layerSlopes) : layerSlopes,
            `input of a layer norm${name}`,
          )
          near(t, await device.read(gainGradient), plus(layerGain), `gain of a layer norm${name}`)
          near(t, await device.read(biasGradient), plus(layerBias), `bias of a layer norm${name}`)
        }
        const gainGradient = column(before.slice(0, columns))
        await runOnce(device, recording =>
          layerNormBackward(recording, {
            x: inputs,
            gain: gains,
            dy,
            accumulate: false,
            gainGradient,
            epsilon,
          }),
        )
        near(
          t,
          await device.read(gainGradient),
          plus(layerGain),
          'the gain of a layer norm, without an input gradient',
        )
      },
    )
})

// The error is relative to 1 at least: with one column the gradient of a layer norm is exactly 0.
function near(
  test: Pick<typeof t, 'ok'>,
  found: ArrayLike<number>,
  wanted: readonly number[],
  name: string,
): void {
  close(test, [...Array.from(found), 1], [...wanted, 1], 1e-5, name)
}
