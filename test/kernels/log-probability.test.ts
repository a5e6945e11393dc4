import t from 'tap'
import {
  logProbability,
  logProbabilityBackward,
  logProbabilityReference,
} from '../../kernels/log-probability.ts'
import { close, given, noise, onEachFamily, runOnce } from './support.ts'

await onEachFamily(t, async (device, t) => {
  // one token, odd, one more than a subgroup and a workgroup, and more than a workgroup of the backward takes
  for (const vocabulary of [1, 7, 9, 129, 5001]) await check(vocabulary, 20)
  await check(301, 2e4)

  async function check(vocabulary: number, spread: number): Promise<void> {
    const name = `vocabulary ${vocabulary}, logits within ${spread / 2}`
    const [all, firstRow, rows] = [7, 2, 4]
    const targets = Uint32Array.from({ length: all }, (_, row) => (row * 31) % vocabulary)
    const values = noise(rows * vocabulary, vocabulary, spread)
    const logits = given(device, [values.length + 3], Float32Array.of(...values, 5, 6, 7))
    const [logProbs, logSums] = [noise(all, 1), noise(all, 2)].map(guard => given(device, [all], guard))
    const shared = { logits, targets: given(device, [all], targets), firstRow, rows, vocabulary, logSums }
    await runOnce(device, plan => logProbability(plan, { ...shared, logProbs }))

    const own = targets.subarray(firstRow, firstRow + rows)
    const wanted = logProbabilityReference(values, own, vocabulary)
    for (const [tensor, guard, numbers] of [
      [logProbs, noise(all, 1), wanted.logProbs],
      [logSums, noise(all, 2), wanted.logSums],
    ] as const) {
      const found = await device.read(tensor)
      // with one token every log-probability is 0
      if (vocabulary > 1) close(t, found.subarray(firstRow, firstRow + rows), numbers, 1e-6, name)
      t.same(
        [...found.subarray(0, 2), found[6]],
        [...guard.subarray(0, 2), guard[6]],
        `${name}: other rows keep`,
      )
    }
    if (vocabulary === 1) t.same((await device.read(logProbs)).subarray(2, 6), new Float32Array(4))

    const coefficients = noise(all, 3)
    await runOnce(device, plan => {
      logProbabilityBackward(plan, { ...shared, coefficients: given(device, [all], coefficients) })
    })
    const found = await device.read(logits)
    t.same([...found.subarray(values.length)], [5, 6, 7], `${name}: nothing else is written`)
    const step = 1e-4
    const checked = own.length * vocabulary
    const places = Array.from({ length: Math.min(checked, 80) }, (_, i) => {
      const row = i % rows
      return row * vocabulary + (i < rows ? own[row] : (i * 37) % vocabulary)
    })
    const slopes = places.map(at => {
      const row = Math.floor(at / vocabulary)
      const moved = Float64Array.from(values.subarray(row * vocabulary, (row + 1) * vocabulary))
      const loss = (by: number): number => {
        moved[at % vocabulary] = values[at] + by
        return (
          coefficients[firstRow + row] * logProbabilityReference(moved, [own[row]], vocabulary).logProbs[0]
        )
      }
      return (loss(step) - loss(-step)) / (2 * step)
    })
    // The log sum of logits of 10000 is known to 0.0005 in single precision.
    const bound = spread > 1000 ? 1e-3 : 5e-6
    const worst = Math.max(...places.map((at, i) => Math.abs(found[at] - slopes[i])))
    t.ok(worst <= bound, `${name}: backward is off by ${worst.toExponential(1)} <= ${bound}`)
  }
})
