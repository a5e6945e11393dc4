import t, { type Test } from 'tap'
import type { Device } from '../../../kernels/device/device.ts'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import {
  logProbability,
  logProbabilityBackward,
  logProbabilityReference,
} from '../../../kernels/rows/log-probability.ts'
import { probabilities } from '../../../kernels/sampling/probabilities.ts'
import { restrict, supportOf } from '../../../kernels/sampling/support.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  await t.test('a support holds the kept tokens and the target, and training sees only these', t =>
    restrictsToSupport(device, t),
  )
})

async function restrictsToSupport(device: Device, t: Test) {
  // one token, around a word of bits, around a workgroup, and more than one workgroup of words
  for (const vocabulary of [1, 31, 32, 33, 257, 9001]) {
    const name = `vocabulary ${vocabulary}`
    const [all, firstRow, rows, topK, temperature] = [5, 1, 3, 4, 0.7]
    const words = Math.ceil(vocabulary / 32)
    const values = noise(rows * vocabulary, vocabulary, 6)
    const rowOf = (row: number) => values.subarray(row * vocabulary, (row + 1) * vocabulary)
    const likeliest = (row: number, rank: number) =>
      [...rowOf(row).keys()].sort((a, b) => rowOf(row)[b] - rowOf(row)[a])[Math.min(rank, vocabulary - 1)]
    // The likeliest, one inside and one outside of the four likeliest.
    const own = [likeliest(0, 0), likeliest(1, 3), likeliest(2, 20)]
    const targets = given(device, [all], Uint32Array.of(0, ...own, 0))
    const guard = Uint32Array.from({ length: all * words }, (_, i) => i + 77)
    const support = given(device, [all, words], guard)
    const logits = given(device, [rows, vocabulary], values.slice())
    const out = device.tensor('probabilities', [rows, vocabulary])
    const [logProbs, logSums, entropies] = [1, 2, 3].map(() => device.tensor('rows', [all]))
    const coefficients = noise(all, 3)
    const entropyCoefficients = noise(all, 5)
    const at = { firstRow, rows, vocabulary }
    const shared = { logits, targets, ...at, temperature, logSums, entropies }
    await runOnce(device, recording => {
      probabilities(recording, { logits, out, temperature, topK, topP: 1, rows, vocabulary })
      supportOf(recording, { probabilities: out, targets, support, ...at })
      restrict(recording, { logits, support, ...at })
      logProbability(recording, { ...shared, logProbs })
      logProbabilityBackward(recording, {
        ...shared,
        coefficients: given(device, [all], coefficients),
        entropyCoefficients: given(device, [all], entropyCoefficients),
      })
    })
    const kept = own.map(
      (target, row) => new Set([target, 0, 1, 2, 3].map((v, i) => (i === 0 ? v : likeliest(row, v)))),
    )
    const bits = new Uint32Array((await device.read({ ...support, type: 'f32' })).buffer)
    const found = own.map((_, row) =>
      Array.from({ length: words * 32 }, (_, v) => v).filter(
        v => (bits[(firstRow + row) * words + Math.floor(v / 32)] >>> (v % 32)) & 1,
      ),
    )
    t.same(
      found,
      kept.map(set => [...set].sort((a, b) => a - b)),
      `${name}: the kept tokens and the target`,
    )
    t.same([...bits.subarray(0, words)], [...guard.subarray(0, words)], `${name}: other rows keep`)

    // The same over the kept tokens alone.
    const alone = own.map((target, row) => {
      const list = [...kept[row]]
      return { list, target: list.indexOf(target), values: Float64Array.from(list, v => rowOf(row)[v]) }
    })
    const wanted = alone.map(row =>
      logProbabilityReference(row.values, [row.target], row.list.length, { temperature }),
    )
    const read = async (tensor: typeof logProbs) =>
      (await device.read(tensor)).subarray(firstRow, firstRow + rows)
    const sum = (numbers: readonly number[]) => numbers.map(number => number + 1) // one token has log-probability 0
    close(t, sum([...(await read(logProbs))]), sum(wanted.flatMap(row => row.logProbs)), 2e-6, name)
    close(t, sum([...(await read(entropies))]), sum(wanted.flatMap(row => row.entropies)), 2e-6, name)
    const gradient = await device.read(logits)
    const slopes = new Float64Array(rows * vocabulary)
    for (const [row, { list, target, values }] of alone.entries()) {
      const loss = (moved: readonly number[]) => {
        const one = logProbabilityReference(moved, [target], list.length, { temperature })
        const [c, e] = [coefficients[firstRow + row], entropyCoefficients[firstRow + row]]
        return [c * one.logProbs[0] + e * one.entropies[0]]
      }
      for (const [i, slope] of finiteDifferences(loss, values, [1]).entries())
        slopes[row * vocabulary + list[i]] = slope
    }
    if (vocabulary > 1) close(t, gradient, slopes, 1e-5, `${name}: gradient`)
  }
}
