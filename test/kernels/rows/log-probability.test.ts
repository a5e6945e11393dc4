import { readFileSync } from 'node:fs'
import t, { type Test as Subtest } from 'tap'
import {
  logProbability,
  logProbabilityBackward,
  logProbabilityReference,
} from '../../../kernels/rows/log-probability.ts'
import { fixture } from '../../fixtures.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  // One token, odd, one more than a subgroup and than a workgroup, and more than a workgroup of the backward overwrites.
  for (const vocabulary of [1, 7, 9, 129, 5001])
    await t.test(
      `log-probabilities over ${vocabulary} tokens, and their gradients, are those of the reference`,
      t => check(t, vocabulary, 20, 1),
    )
  await t.test('logits of 10,000 neither overflow nor lose the log-probability', t => check(t, 301, 2e4, 1))
  await t.test('a temperature divides the logits', t => check(t, 129, 20, 0.7))

  async function check(
    t: Pick<Subtest, 'ok' | 'same'>,
    vocabulary: number,
    spread: number,
    temperature: number,
  ): Promise<void> {
    const [all, firstRow, rows] = [7, 2, 4]
    const targets = Uint32Array.from({ length: all }, (_, row) => (row * 31) % vocabulary)
    const values = noise(rows * vocabulary, vocabulary, spread)
    const logits = given(device, [values.length + 3], Float32Array.of(...values, 5, 6, 7))
    const guards = [noise(all, 1), noise(all, 2), noise(all, 4)]
    const [logProbs, logSums, entropies] = guards.map(guard => given(device, [all], guard))
    const sizes = { firstRow, rows, vocabulary, temperature }
    const shared = { logits, targets: given(device, [all], targets), ...sizes, logSums, entropies }
    await runOnce(device, recording => logProbability(recording, { ...shared, logProbs }))

    const ofRows = targets.subarray(firstRow, firstRow + rows)
    const wanted = logProbabilityReference(values, ofRows, vocabulary, { temperature })
    // The difference of two logits of 10000 is known to 0.0005, and the entropy is made of such differences.
    const loose = spread > 1000 ? 1e-4 : 1e-6
    for (const [tensor, guard, numbers, precision] of [
      [logProbs, guards[0], wanted.logProbs, 1e-6],
      [logSums, guards[1], wanted.logSums, 1e-6],
      [entropies, guards[2], wanted.entropies, loose],
    ] as const) {
      const found = await device.read(tensor)
      // With one token every log-probability is 0.
      if (vocabulary > 1)
        close(t, found.subarray(firstRow, firstRow + rows), numbers, precision, tensor.label)
      t.same(
        [...found.subarray(0, 2), found[6]],
        [...guard.subarray(0, 2), guard[6]],
        'rows of other chunks are not written',
      )
    }
    if (vocabulary === 1) t.same((await device.read(logProbs)).subarray(2, 6), new Float32Array(4))

    const [coefficients, entropyCoefficients] = [noise(all, 3), noise(all, 5)]
    await runOnce(device, recording => {
      const [forLogProbs, forEntropies] = [coefficients, entropyCoefficients].map(c =>
        given(device, [all], c),
      )
      logProbabilityBackward(recording, {
        ...shared,
        coefficients: forLogProbs,
        entropyCoefficients: forEntropies,
      })
    })
    const found = await device.read(logits)
    t.same([...found.subarray(values.length)], [5, 6, 7], 'no number after the logits is written')
    const step = 1e-4
    const checked = ofRows.length * vocabulary
    const places = Array.from({ length: Math.min(checked, 80) }, (_, i) => {
      const row = i % rows
      return row * vocabulary + (i < rows ? ofRows[row] : (i * 37) % vocabulary)
    })
    const slopes = places.map(at => {
      const row = Math.floor(at / vocabulary)
      const moved = Float64Array.from(values.subarray(row * vocabulary, (row + 1) * vocabulary))
      const loss = (by: number): number => {
        moved[at % vocabulary] = values[at] + by
        const found = logProbabilityReference(moved, [ofRows[row]], vocabulary, { temperature })
        return (
          coefficients[firstRow + row] * found.logProbs[0] +
          entropyCoefficients[firstRow + row] * found.entropies[0]
        )
      }
      return (loss(step) - loss(-step)) / (2 * step)
    })
    // The log sum of logits of 10000 is known to 0.0005 in single precision.
    const bound = spread > 1000 ? 1e-3 : 5e-6
    const worst = Math.max(...places.map((at, i) => Math.abs(found[at] - slopes[i])))
    t.ok(worst <= bound, `the gradient differs by ${worst.toExponential(1)} <= ${bound}`)
  }
})

t.test('log-probabilities and entropies at a temperature are those of the reference', async t => {
  const { logp } = JSON.parse(readFileSync(fixture('losses/losses.json'), 'utf8'))
  const [logits, [targets]] = [logp.logits.flat(2), logp.ids]
  for (const temperature of [1, 0.7]) {
    const expected = logp[`T=${temperature.toFixed(1)}`]
    const found = logProbabilityReference(logits, targets, 5, { temperature })
    close(t, found.logProbs, expected.logp[0], 1e-14, `temperature ${temperature}`)
    close(t, found.entropies, expected.entropy[0], 1e-14, `temperature ${temperature}`)
  }
  const { logProbs } = logProbabilityReference(logits, targets, 5, { topK: 3 })
  close(t, logProbs, logp['top_k=3 renormalised'][0], 1e-14, 'three most likely')
  t.same(logProbabilityReference([2, 1, 0], [2], 3, { topK: 2 }).logProbs, [Number.NEGATIVE_INFINITY])
})
