import { readFileSync } from 'node:fs'
import t from 'tap'
import { groupAdvantages } from '../../../operators/grpo/advantage.ts'
import { grpoLoss, type LossBatch, type LossOptions } from '../../../operators/grpo/loss.ts'
import { fixture } from '../../fixtures.ts'

interface Losses {
  inputs: Record<'pi' | 'old' | 'ref' | 'mask', number[][]> & { rewards: number[] }
  advantages: Record<string, number[]>
  loss: Record<string, { value: number; grad_pi: number[][] }>
  kl: { k3: { token: number[][]; token_mean: number; grad_of_token_mean: number[][] } }
  accumulation: {
    micro: [number, number][]
    token_mean: { correct_global: number }
    seq_mean: { correct_global: number }
  }
  Lmax: number
}
// The cast states the layout of a file of ours.
const golden = JSON.parse(readFileSync(fixture('losses/losses.json'), 'utf8')) as Losses
const { pi, old, ref, mask, rewards } = golden.inputs

const advantages = [
  groupAdvantages(rewards.slice(0, 4), 1e-4),
  groupAdvantages(rewards.slice(4), 1e-4),
].flat()
const batch: LossBatch = { policy: pi, old, reference: ref, advantages, mask }
const clip = { low: 0.2, high: 0.28 }
const plain: LossOptions = { beta: 0, klClamp: 100, clip, aggregation: 'sequence-mean' }

const worst = (found: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]) =>
  Math.max(
    ...expected.flatMap((row, i) =>
      Array.from(row, (value, j) => Math.abs(value - (found[i]?.[j] ?? Number.NaN))),
    ),
  )

t.test("a group's advantages are the reference's", async t => {
  t.ok(worst([advantages], [golden.advantages['group_norm_eps1e-4'] ?? []]) < 1e-15)
})

const cases: [string, LossBatch, LossOptions][] = [
  ['grpo', batch, { ...plain, beta: 0.04 }],
  ['dapo', batch, { ...plain, aggregation: 'token-mean' }],
  ['bnpo', batch, { ...plain, aggregation: 'token-mean' }],
  ['dr_grpo', batch, { ...plain, aggregation: { fixedLength: golden.Lmax } }],
  ['seq-mean-token-sum', batch, { ...plain, aggregation: { fixedLength: 1 } }],
  ['ref_tinyllava(mu=1,beta=0.01,no noise)', { ...batch, old: null }, { ...plain, clip: null, beta: 0.01 }],
]
for (const [name, input, options] of cases) {
  t.test(`${name}: loss and derivative are the trainer's`, async t => {
    const expected = golden.loss[name]
    const { loss, dLogProbs } = grpoLoss(input, options)
    t.ok(expected && Math.abs(loss - expected.value) < 1e-14, `${loss}`)
    t.ok(worst(dLogProbs, expected?.grad_pi ?? [[]]) < 1e-14)
  })
}

t.test('the KL alone is the k3 estimator', async t => {
  const options: LossOptions = { beta: 1, klClamp: 100, clip: null, aggregation: 'token-mean' }
  const { loss, dLogProbs } = grpoLoss({ ...batch, old: null, advantages: advantages.map(() => 0) }, options)
  t.ok(Math.abs(loss - golden.kl.k3.token_mean) < 1e-15)
  t.ok(worst(dLogProbs, golden.kl.k3.grad_of_token_mean) < 1e-15)
})

t.test('the published miniature: loss, KL and derivatives', async t => {
  const miniature: LossBatch = {
    policy: [
      [-0.5, -1.25, -0.1, -2.0],
      [-0.3, -0.7, -3.0, -0.2],
    ],
    old: null,
    reference: [
      [-0.6, -1.0, -0.1, -2.5],
      [-0.2, -0.9, -2.0, -0.2],
    ],
    advantages: groupAdvantages([1.6, -2.0], 1e-4),
    mask: [
      [1, 1, 1, 0],
      [1, 1, 1, 1],
    ],
  }
  const { loss, dLogProbs, metrics } = grpoLoss(miniature, { ...plain, clip: null, beta: 0.01 })
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
  t.test(`parts of a step add up to the whole: ${aggregation}`, async t => {
    const tokens = mask.flat().reduce((total, m) => total + m, 0)
    const step = { sequences: pi.length, tokens }
    const parts = golden.accumulation.micro.map(([from, to]) => {
      const slice = <T>(rows: readonly T[]) => rows.slice(from, to)
      const part = {
        policy: slice(pi),
        old: slice(old),
        reference: null,
        advantages: slice(advantages),
        mask: slice(mask),
      }
      return grpoLoss(part, { ...plain, aggregation, step })
    })
    const { seq_mean: bySequence, token_mean: byToken } = golden.accumulation
    const expected = aggregation === 'token-mean' ? byToken : bySequence
    const total = parts.reduce((sum, { loss }) => sum + loss, 0)
    t.ok(Math.abs(total - expected.correct_global) < 1e-14, `${total}`)
    const whole = grpoLoss(batch, { ...plain, aggregation })
    t.ok(
      worst(
        parts.flatMap(part => part.dLogProbs),
        whole.dLogProbs,
      ) < 1e-16,
    )
  })
}

t.test('the derivative is that of the loss, by finite differences, for every option', async t => {
  const h = 1e-6
  for (const [, input, options] of cases.filter(([, { old }]) => old)) {
    const { dLogProbs } = grpoLoss(input, options)
    const nudged = (i: number, t: number, by: number) =>
      grpoLoss(
        { ...input, policy: pi.map((row, r) => row.map((lp, c) => (r === i && c === t ? lp + by : lp))) },
        options,
      ).loss
    const slopes = pi.map((row, i) => row.map((_, t) => (nudged(i, t, h) - nudged(i, t, -h)) / (2 * h)))
    t.ok(worst(dLogProbs, slopes) < 1e-8)
  }
})

t.test('a token whose KL is cut has a KL of the bound and no KL gradient', async t => {
  const input = { policy: [[-200, -1]], old: null, reference: [[-1, -1]], advantages: [0], mask: [[1, 1]] }
  const { metrics, dLogProbs } = grpoLoss(input, { ...plain, clip: null, beta: 1 })
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
  const { dLogProbs, metrics } = grpoLoss(input, { ...plain, aggregation: 'token-mean' })
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
  const { loss, dLogProbs, metrics } = grpoLoss(input, { ...plain, clip: null })
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
  t.throws(() => grpoLoss({ ...batch, reference: null }, { ...plain, beta: 0.1 }), {
    message: 'grpoLoss: beta 0.1 needs reference log-probabilities, got null',
  })
  const empty = { policy: [], old: null, reference: null, advantages: [], mask: [] }
  t.throws(() => grpoLoss(empty, plain), { message: /at least one sequence/ })
})
