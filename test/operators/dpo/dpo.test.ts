import t from 'tap'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import { dpoLoss } from '../../../operators/dpo/loss.ts'
import pairs from '../../../operators/dpo/pairs.ts'
import type { Group } from '../../../operators/kinds.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

const rows = {
  policy: [
    [-0.5, -1.25, -0.1],
    [-0.3, -0.7, -3, -0.2],
  ],
  reference: [
    [-0.6, -1, -0.4],
    [-0.2, -0.9, -2.5, -0.2],
  ],
  old: null,
  advantages: [1, -1],
  mask: [
    [1, 1, 1],
    [1, 1, 1, 0],
  ],
}
const totals = { completions: 2, tokens: 6 }
const options = { beta: 0.5, labelSmoothing: 0 }

t.test('the loss is the formula of the paper, worked out by hand', async t => {
  // log-ratios: (-0.5+0.6) + (-1.25+1) + (-0.1+0.4) = 0.15; (-0.3+0.2) + (-0.7+0.9) + (-3+2.5) = -0.4
  const h = 0.5 * (0.15 + 0.4)
  const { loss, metrics } = dpoLoss(rows, options, totals)
  t.ok(Math.abs(loss + Math.log(1 / (1 + Math.exp(-h)))) < 1e-15)
  t.ok(Math.abs((metrics?.['dpo/margin'] ?? 0) - h) < 1e-15)
  t.equal(metrics?.['dpo/accuracy'], 1)
  const smooth = dpoLoss(rows, { beta: 0.5, labelSmoothing: 0.1 }, totals)
  const both = -0.9 * Math.log(1 / (1 + Math.exp(-h))) - 0.1 * Math.log(1 / (1 + Math.exp(h)))
  t.ok(Math.abs(smooth.loss - both) < 1e-15)
})

t.test('which of the two comes first makes no difference', async t => {
  const turned = Object.fromEntries(
    Object.entries(rows).map(([name, list]) => [name, list && [...list].reverse()]),
  ) as unknown as typeof rows // the same fields, reversed
  t.equal(dpoLoss(turned, options, totals).loss, dpoLoss(rows, options, totals).loss)
})

for (const labelSmoothing of [0, 0.2])
  t.test(`the derivative agrees with finite differences, label smoothing ${labelSmoothing}`, async t => {
    const given = { beta: 0.5, labelSmoothing }
    const flat = rows.policy.flat()
    const loss = (values: readonly number[]) =>
      dpoLoss({ ...rows, policy: [values.slice(0, 3), values.slice(3)] }, given, totals).loss
    const wanted = finiteDifferences(values => [loss(values)], flat, [1])
    const found = dpoLoss(rows, given, totals).dLogProbs.flatMap(row => Array.from(row))
    t.equal(found.length, flat.length)
    for (const [i, slope] of found.entries())
      t.ok(Math.abs(slope - (wanted[i] ?? 0)) < 1e-9, `${slope} is ${wanted[i]}`)
    t.equal(found.at(-1), 0, 'a token that does not count has no derivative')
  })

t.test('the losses of two pairs of one update add up to their mean', async t => {
  const alone = dpoLoss(rows, options, totals)
  const half = dpoLoss(rows, options, { completions: 4, tokens: 12 })
  t.equal(half.loss * 2, alone.loss)
})

t.test('a very wrong pair has a finite loss', async t => {
  const far = { ...rows, policy: [rows.policy[0]?.map(() => -5000) ?? [], rows.policy[1] ?? []] }
  t.ok(dpoLoss(far, options, totals).loss > 1000)
})

t.test('what is no pair is an error that says what to do', async t => {
  t.throws(() => dpoLoss({ ...rows, advantages: [0.2, 0.1] }, options, totals), {
    code: 'no-pair',
    message: /found advantages 0.2, 0.1; put dpo.pairs before this node/,
  })
})

t.test('a pair is the best and the worst of a group; equal rewards make none', async t => {
  const group = groupOf([0.5, 2, -1, 2].map((reward, i) => ({ reward, text: String(i) })))
  const equal = groupOf([{ reward: 1 }, { reward: 1 }])
  const values = [group, equal]
  const config = { reward: '', margin: 0 }
  const found = (await runOver(pairs, config, { port: 'groups', values }, 'groups')) as Group[]
  t.same(
    found.map(({ completions }) => completions.map(({ text, advantage }) => [text, advantage])),
    [
      [
        ['1', 1],
        ['2', -1],
      ],
    ],
  )
  t.same(await runOver(pairs, { ...config, margin: 3 }, { port: 'groups', values }, 'groups'), [])
})
