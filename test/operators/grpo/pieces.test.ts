import { readFileSync } from 'node:fs'
import t from 'tap'
import { countsOf, tokenWeight } from '../../../operators/grpo/aggregation.ts'
import { entropyThreshold } from '../../../operators/grpo/entropy.ts'
import { importanceWeights, isOnPolicy } from '../../../operators/grpo/importance.ts'
import { tokenKl } from '../../../operators/grpo/kl.ts'
import { logRatios } from '../../../operators/grpo/ratio.ts'
import { fixture } from '../../fixtures.ts'
import { lossOptions } from './loss-options.ts'

interface Golden {
  inputs: Record<'old' | 'sampler' | 'mask', number[][]>
  is: Record<'token' | 'token_truncate_1.03' | 'token_mask_1.03', number[][]> &
    Record<'sequence_product' | 'sequence_geo_mean', number[]>
}
// The cast states the layout of a file of ours.
const golden = JSON.parse(readFileSync(fixture('losses/losses.json'), 'utf8')) as Golden
const { old, sampler, mask } = golden.inputs

const weightsOf = (changes: Parameters<typeof lossOptions>[0]) =>
  old.map((row, i) => {
    const differences = Float64Array.from(row, (logProb, t) => logProb - sampler[i][t])
    return Array.from(importanceWeights(differences, mask[i], lossOptions({ importanceHigh: 9, ...changes })))
  })

const worst = (found: readonly number[][], expected: readonly number[][]) =>
  Math.max(
    ...expected.flatMap((row, i) => row.map((value, t) => (mask[i][t] ? Math.abs(value - found[i][t]) : 0))),
  )
const spread = (values: readonly number[]) => values.map((value, i) => mask[i].map(() => value))

t.test('importance weights are those of the trainers', async t => {
  const { is } = golden
  t.ok(worst(weightsOf({ importance: 'token' }), is.token) < 1e-15)
  t.ok(worst(weightsOf({ importance: 'token', importanceHigh: 1.03 }), is['token_truncate_1.03']) < 1e-15)
  const masked = { importance: 'token', importanceMode: 'mask', importanceHigh: 1.03 } as const
  t.ok(worst(weightsOf(masked), is['token_mask_1.03']) < 1e-15)
  t.ok(worst(weightsOf({ importance: 'sequence' }), spread(is.sequence_product)) < 1e-14)
  t.ok(worst(weightsOf({ importance: 'sequence-mean' }), spread(is.sequence_geo_mean)) < 1e-14)
  t.ok(worst(weightsOf({}), spread(old.map(() => 1))) === 0)
})

t.test('a weight may not fall below the least one', async t => {
  const options = lossOptions({ importance: 'token', importanceLow: 0.5 })
  const differences = Float64Array.of(-5, 0)
  t.same([...importanceWeights(differences, [1, 1], options)], [0.5, 1])
  const masked = { ...options, importanceMode: 'mask' } as const
  t.same([...importanceWeights(differences, [1, 1], masked)], [0, 1])
})

t.test('only a bad completion that has become unlikely is off policy', async t => {
  const options = lossOptions({ offPolicyThreshold: 0.5 })
  const gains = Float64Array.of(-1, -1, 9)
  t.equal(isOnPolicy(gains, [1, 1, 0], -1, options), false)
  t.equal(isOnPolicy(gains, [1, 1, 0], 0, options), true)
  t.equal(isOnPolicy(gains, [1, 1, 1], -1, options), true)
  t.equal(isOnPolicy(gains, [1, 1, 0], -1, lossOptions()), true)
})

t.test('cut log ratios pass no derivative on', async t => {
  const differences = Float64Array.of(30, -1)
  const { values, pullBack } = logRatios(differences, [1, 1], 1, lossOptions({ ratioClamp: 20 }))
  t.same([...values], [20, -1])
  t.same([...pullBack(Float64Array.of(1, 1))], [0, 1])
})

t.test('the KL is cut before or after its estimate', async t => {
  t.same(tokenKl(-30, lossOptions({ klExponentClamp: 1, klClamp: 0 })), { value: Math.E - 2, slope: 0 })
  t.same(tokenKl(-30, lossOptions({ klClamp: 10 })), { value: 10, slope: 0 })
  t.same(tokenKl(-30, lossOptions({ klEstimator: 'k1', klClamp: 10 })), { value: -10, slope: 0 })
  t.ok(tokenKl(-30, lossOptions({ klClamp: 0 })).value > 1e12)
})

t.test(
  'a plain sum has no divisor but the length: the number of sequences times the mean of sums',
  async t => {
    const totals = { completions: 8, tokens: 33 }
    const sum = tokenWeight(4, totals, lossOptions({ aggregation: 'sum', length: 8 }))
    const mean = tokenWeight(4, totals, lossOptions({ aggregation: 'sequence-sum', length: 8 }))
    t.equal(sum, 8 * mean)
  },
)

t.test('empty completions count or not', async t => {
  t.same(countsOf([3, 0, 1], lossOptions()), { completions: 3, tokens: 4 })
  t.same(countsOf([3, 0, 1], lossOptions({ emptySequences: 'drop' })), { completions: 2, tokens: 4 })
  t.equal(tokenWeight(0, { completions: 0, tokens: 0 }, lossOptions()), 1, 'nothing divides by 0')
})

t.test('the entropy that counts is an interpolated quantile of the tokens that count', async t => {
  const entropies = [
    [1, 2, 100],
    [3, 4],
  ]
  const counted = [
    [1, 1, 0],
    [1, 1],
  ]
  t.equal(entropyThreshold(entropies, counted, 0.5), 2.5)
  t.equal(entropyThreshold(entropies, counted, 1), Number.NEGATIVE_INFINITY)
  t.equal(entropyThreshold([[5]], [[0]], 0.5), Number.NEGATIVE_INFINITY)
})
