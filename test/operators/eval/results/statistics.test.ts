import t from 'tap'
import { clusteredMean, type Observation } from '../../../../operators/eval/results/statistics.ts'

const observe = (value: number, cluster: string, stratum = ''): Observation => ({ value, cluster, stratum })
const close = (found: number | null, expected: number) => Math.abs((found ?? Number.NaN) - expected) < 1e-9

t.test('alone in its cluster each observation counts as in the usual interval of a difference', async t => {
  const values = [1, 0, 0, -1, 1, 0]
  const { mean, low, high } = clusteredMean(
    values.map((value, i) => observe(value, String(i))),
    'difference',
  )
  const average = 1 / 6
  const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / 5 / 6
  t.ok(close(mean, average))
  t.ok(close(low, average - 1.959964 * Math.sqrt(variance)))
  t.ok(close(high, average + 1.959964 * Math.sqrt(variance)))
})

t.test('questions about one clip that go together make the interval wider', async t => {
  const values = [1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0]
  const width = (clusterOf: (i: number) => string) => {
    const { low, high } = clusteredMean(
      values.map((value, i) => observe(value, clusterOf(i))),
      'share',
    )
    return (high ?? 0) - (low ?? 0)
  }
  t.ok(width(i => String(Math.floor(i / 3))) > 1.4 * width(i => String(i)))
})

t.test('strata count alike however many observations they have', async t => {
  const values = [observe(1, 'a', 'x'), observe(0, 'b', 'y'), observe(0, 'c', 'y'), observe(0, 'd', 'y')]
  t.equal(clusteredMean(values, 'share').mean, 0.5)
})

t.test('strata of a union count as one stratum, and alike in it', async t => {
  const values = [
    ...[1, 1, 1, 1].map((value, i) => observe(value, `a${i}`, 'easy')),
    observe(0, 'b', 'hard'),
    ...[1, 0].map((value, i) => observe(value, `c${i}`, 'other')),
  ]
  const unionOf = (stratum: string) => (stratum === 'other' ? stratum : 'both')
  t.equal(clusteredMean(values, 'share', unionOf).mean, 0.5)
  const { low, high } = clusteredMean(values, 'difference', unionOf)
  // only `other` varies: its two values are half of the mean, each 0.5 from their own mean
  const variance = (2 * (0.5 / (2 * 2)) ** 2 * 7) / 6
  t.ok(close(low, 0.5 - 1.959964 * Math.sqrt(variance)))
  t.ok(close(high, 0.5 + 1.959964 * Math.sqrt(variance)))
})

t.test('one clip gives no interval, and a share of nothing is not certain', async t => {
  t.match(clusteredMean([observe(1, 'a'), observe(0, 'a')], 'share'), { mean: 0.5, low: null, high: null })
  const { low, high } = clusteredMean([observe(0, 'a'), observe(0, 'b'), observe(0, 'c')], 'share')
  t.equal(low, 0)
  t.ok(close(high, 1.959964 ** 2 / (3 + 1.959964 ** 2)))
})
