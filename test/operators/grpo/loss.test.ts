import { readFileSync } from 'node:fs'
import t from 'tap'
import { countsOf } from '../../../operators/grpo/aggregation.ts'
import { advantagesOf } from '../../../operators/grpo/estimators.ts'
import { grpoLoss, type LossOptions, type LossRows } from '../../../operators/grpo/loss.ts'
import { fixture } from '../../fixtures.ts'
import { lossOptions } from './loss-options.ts'

interface Losses {
  inputs: Record<'pi' | 'old' | 'ref' | 'sampler' | 'entropy' | 'mask', number[][]> & { rewards: number[] }
  loss: Record<string, { value: number; grad_pi: number[][] }>
  kl: Record<string, { token?: number[][]; token_mean: number; grad_of_token_mean: number[][] }>
  accumulation: {
    micro: [number, number][]
    token_mean: { correct_global: number; WRONG_mean_of_micro_means: number }
    seq_mean: { correct_global: number; WRONG_mean_of_micro_means: number }
  }
  Lmax: number
}
// The cast states the layout of a file of ours.
const golden = JSON.parse(readFileSync(fixture('losses/losses.json'), 'utf8')) as Losses
const { pi, old, ref, sampler, entropy, mask, rewards } = golden.inputs

const groups = [rewards.slice(0, 4), rewards.slice(4)].map(group => ({ rewards: group, lengths: [] }))
const advantages = advantagesOf(groups, {
  baseline: 'mean',
  scale: 'group',
  deviation: 'unbiased',
  epsilon: 1e-4,
}).flat()
const batch: LossRows = { policy: pi, old, reference: ref, advantages, mask }
const withEntropy = { ...batch, entropies: entropy }
const withSampler = { ...batch, sampler }
const clip = { beta: 0, surrogate: 'clip', clipLow: 0.2, clipHigh: 0.28 } as const
const tokenMean = { ...clip, aggregation: 'token-mean' } as const
const sequence = { ...clip, clipLow: 3e-4, clipHigh: 4e-4 } as const

const plain = lossOptions(clip)

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)

const worst = (found: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]) =>
  Math.max(
    ...expected.flatMap((row, i) =>
      Array.from(row, (value, j) => Math.abs(value - (found[i]?.[j] ?? Number.NaN))),
    ),
  )

const cases: [string, LossRows, Partial<LossOptions>][] = [
  ['grpo', batch, { ...clip, beta: 0.04 }],
  ['dapo', batch, tokenMean],
  ['bnpo', batch, tokenMean],
  ['dr_grpo', batch, { ...clip, aggregation: 'sequence-sum', length: golden.Lmax }],
  ['seq-mean-token-sum', batch, { ...clip, aggregation: 'sequence-sum' }],
  ['grpo_delta1.3', batch, { ...clip, delta: 1.3 }],
  ['dual_clip_c1.2_token-mean', batch, { ...tokenMean, dualClip: 1.2 }],
  ['gspo', batch, { ...sequence, ratio: 'sequence' }],
  ['gspo_token', batch, { ...sequence, ratio: 'sequence-token' }],
  [
    'cispo_cap1.25(absolute)',
    batch,
    { ...tokenMean, surrogate: 'cispo', clipBounds: 'absolute', clipLow: 0, clipHigh: 1.25 },
  ],
  ['cispo_[1-0.2,1+0.28]', batch, { ...tokenMean, surrogate: 'cispo' }],
  ['sapo_1.0_1.05', batch, { ...clip, surrogate: 'sapo' }],
  ['gmpo_0.2_0.28', batch, { ...clip, surrogate: 'unclipped', ratio: 'sequence-clipped' }],
  ['luspo', batch, { ...clip, ratio: 'sequence', aggregation: 'sequence-sum' }],
  ['vespo_2_3_3_2', batch, { ...tokenMean, surrogate: 'vespo', ratio: 'product', ratioClamp: 20 }],
  ['gpg', batch, { ...tokenMean, surrogate: 'reinforce' }],
  ['ref_tinyllava(mu=1,beta=0.01,no noise)', { ...batch, old: null }, {}],
  ['top_entropy_quantile_0.2', withEntropy, { ...tokenMean, topEntropy: 0.2 }],
  ['entropy_coef_0.01', withEntropy, { ...tokenMean, entropyCoefficient: 0.01 }],
  ['off_policy_mask_0.02', withSampler, { ...tokenMean, offPolicyThreshold: 0.02 }],
  ['bias_corrected_kl_b0.04', batch, { ...clip, beta: 0.04, klTimesRatio: true }],
  [
    'is_token_truncate_1.03_plus_kl(TRL order)',
    withSampler,
    { ...clip, beta: 0.04, importance: 'token', importanceHigh: 1.03 },
  ],
  [
    'is_token_truncate_1.03_plus_kl(ms-swift order)',
    withSampler,
    { ...clip, beta: 0.04, importance: 'token', importanceHigh: 1.03, importanceOfKl: true },
  ],
  [
    'is_sequence_mask_1.1(product)',
    withSampler,
    { ...clip, importance: 'sequence', importanceMode: 'mask', importanceHigh: 1.1 },
  ],
]
for (const [name, input, changes] of cases) {
  t.test(`${name}: loss and derivative are the trainer's`, async t => {
    const expected = golden.loss[name]
    const { loss, dLogProbs } = grpoLoss(input, lossOptions(changes))
    t.ok(Math.abs(loss - expected.value) < 1e-14, `${loss} - ${expected.value}`)
    t.ok(worst(dLogProbs, expected.grad_pi) < 1e-14, `${worst(dLogProbs, expected.grad_pi)}`)
  })
}

t.test('every loss of the reference has a case', async t => {
  t.strictSame(cases.map(([name]) => name).sort(), Object.keys(golden.loss).sort())
})

for (const klEstimator of ['k1', 'abs', 'k2', 'k3', 'k3+'] as const) {
  t.test(`the KL alone is the estimator ${klEstimator}`, async t => {
    const expected = golden.kl[klEstimator]
    const input = { ...batch, old: null, advantages: advantages.map(() => 0) }
    const options = lossOptions({ beta: 1, klEstimator, aggregation: 'token-mean' })
    const { loss, dLogProbs } = grpoLoss(input, options)
    t.ok(Math.abs(loss - expected.token_mean) < 1e-15)
    t.ok(worst(dLogProbs, expected.grad_of_token_mean) < 1e-15)
  })
}

t.test('the published miniature: loss, KL and derivatives', async t => {
  const miniature: LossRows = {
    policy: [
      [-0.5, -1.25, -0.1, -2.0],
      [-0.3, -0.7, -3.0, -0.2],
    ],
    old: null,
    reference: [
      [-0.6, -1.0, -0.1, -2.5],
      [-0.2, -0.9, -2.0, -0.2],
    ],
    advantages: [0.7070790044999411, -0.7070790044999411],
    mask: [
      [1, 1, 1, 0],
      [1, 1, 1, 1],
    ],
  }
  const { loss, dLogProbs, metrics } = grpoLoss(miniature, lossOptions())
  t.ok(Math.abs(loss - 0.000992500765721993) < 1e-15)
  t.ok(Math.abs(metrics.kl - 0.09925007657220115) < 1e-15)
  t.equal(metrics.completionLength, 3.5)
  const expected = [
    [-0.11768789644671677, -0.11831987644446974, -0.11784650074999017, 0],
    [0.08825341191489808, 0.08861146212114517, 0.08623702327691883, 0.08838487556249264],
  ]
  t.ok(worst(dLogProbs, expected) < 1e-15)
})

for (const aggregation of ['sequence-mean', 'token-mean'] as const) {
  const options = lossOptions({ ...clip, aggregation })
  const parts = golden.accumulation.micro.map(([from, to]): LossRows => {
    const slice = <T>(rows: readonly T[]) => rows.slice(from, to)
    return {
      policy: slice(pi),
      old: slice(old),
      reference: null,
      advantages: slice(advantages),
      mask: slice(mask),
    }
  })
  const expected = golden.accumulation[aggregation === 'token-mean' ? 'token_mean' : 'seq_mean']

  t.test(`parts of a step add up to the whole: ${aggregation}`, async t => {
    const totals = countsOf(mask.map(total), options)
    const found = parts.map(part => grpoLoss(part, options, totals))
    const loss = total(found.map(part => part.loss))
    t.ok(Math.abs(loss - expected.correct_global) < 1e-14, `${loss}`)
    const whole = grpoLoss(batch, options)
    t.ok(Math.abs(loss - whole.loss) < 1e-15)
    const derivatives = found.flatMap(part => part.dLogProbs)
    t.ok(worst(derivatives, whole.dLogProbs) < 1e-16)
    for (const name of ['clipRatio', 'clipLow', 'clipHigh', 'completionLength'] as const)
      t.ok(Math.abs(total(found.map(part => part.metrics[name])) - whole.metrics[name]) < 1e-12, name)
  })

  t.test(`the mean of the parts' own means is another number: ${aggregation}`, async t => {
    const naive = total(parts.map(part => grpoLoss(part, options).loss)) / parts.length
    t.ok(Math.abs(naive - expected.WRONG_mean_of_micro_means) < 1e-14, `${naive}`)
    t.ok(Math.abs(naive - expected.correct_global) > 1e-2)
  })
}

// Weights that are held constant have no derivative of their own: of these losses it is not the slope.
const detached = new Set(['cispo', 'vespo'])
t.test('the derivative is that of the loss, by finite differences, for every option', async t => {
  const h = 1e-6
  for (const [name, input, changes] of cases) {
    const options = lossOptions(changes)
    if (!input.old || detached.has(options.surrogate) || options.ratio === 'sequence-token') continue
    const { dLogProbs } = grpoLoss(input, options)
    const nudged = (i: number, t: number, by: number) =>
      grpoLoss(
        { ...input, policy: pi.map((row, r) => row.map((lp, c) => (r === i && c === t ? lp + by : lp))) },
        options,
      ).loss
    const slopes = pi.map((row, i) => row.map((_, t) => (nudged(i, t, h) - nudged(i, t, -h)) / (2 * h)))
    t.ok(worst(dLogProbs, slopes) < 1e-8, name)
  }
})

t.test('a token whose KL is cut has a KL of the bound and no KL gradient', async t => {
  const input = { policy: [[-200, -1]], old: null, reference: [[-1, -1]], advantages: [0], mask: [[1, 1]] }
  const { metrics, dLogProbs } = grpoLoss(input, lossOptions({ beta: 1 }))
  t.equal(metrics.kl, 50)
  t.strictSame(dLogProbs, [Float64Array.of(0, 0)])
})

t.test('only a ratio past the bound that its advantage pushes it to is clipped', async t => {
  const input = {
    policy: [
      [Math.log(1.5), Math.log(0.5)],
      [Math.log(1.5), Math.log(0.5)],
    ],
    old: [
      [0, 0],
      [0, 0],
    ],
    reference: null,
    advantages: [1, -1],
    mask: [
      [1, 1],
      [1, 1],
    ],
  }
  const { dLogProbs, metrics } = grpoLoss(input, lossOptions(tokenMean))
  t.equal(metrics.clipRatio, 0.5)
  t.equal(metrics.kl, 0)
  t.ok(
    worst(dLogProbs, [
      [0, -0.125],
      [0.375, 0],
    ]) < 1e-15,
  )
})

t.test('a sequence without tokens counts in the mean over sequences and adds nothing', async t => {
  const input = { policy: [[0], [0]], old: null, reference: null, advantages: [1, 1], mask: [[1], [0]] }
  const { loss, dLogProbs, metrics } = grpoLoss(input, lossOptions({ beta: 0 }))
  t.equal(loss, -0.5)
  t.strictSame(dLogProbs, [Float64Array.of(-0.5), Float64Array.of(0)])
  t.equal(metrics.completionLength, 0.5)
})

t.test('sequences may differ in length', async t => {
  const input = { policy: [[0, 0], [0]], old: null, reference: null, advantages: [1, 2], mask: [[1, 1], [1]] }
  t.strictSame(grpoLoss(input, plain).dLogProbs, [Float64Array.of(-0.25, -0.25), Float64Array.of(-1)])
})

t.test('rows that do not fit together are errors', async t => {
  t.throws(() => grpoLoss({ ...batch, advantages: [1] }, plain), {
    message: 'grpoLoss advantages: expected 8, got 1',
  })
  t.throws(() => grpoLoss({ ...batch, old: [[1]] }, plain), {
    message: /^grpoLoss old: expected rows of \(6, 6/,
  })
  t.throws(() => grpoLoss({ ...batch, reference: null }, lossOptions({ beta: 0.1 })), {
    message: 'grpoLoss: beta 0.1 needs reference log-probabilities, got null',
  })
  const empty = { policy: [], old: null, reference: null, advantages: [], mask: [] }
  t.throws(() => grpoLoss(empty, plain), { message: /at least one completion/ })
})
