import t from 'tap'
import type { Registry } from '../../../engine/graph/plan.ts'
import { groupLoss } from '../../../operators/grpo/group-loss.ts'
import { train } from './train-groups.ts'

t.test("a loss of one's own has the batches and the metrics of grpo.update, and its own", async t => {
  const reinforce = groupLoss(
    'REINFORCE.',
    ({ policy, advantages, mask }, { scale }, { tokens }) => {
      const slopes = policy.map((row, i) =>
        Array.from(row, (_, t) => (-scale * mask[i][t] * advantages[i]) / tokens),
      )
      const loss = policy.flatMap((row, i) => Array.from(row, (value, t) => value * slopes[i][t]))
      return {
        loss: loss.reduce((sum, value) => sum + value, 0),
        dLogProbs: slopes,
        metrics: { 'own/tokens': policy.flatMap(row => [...Array.from(row)]).length },
      }
    },
    { scale: { type: 'number', default: 1, description: 'Factor of the loss.' } },
  )
  const graph = { groupsPerUpdate: 2, updatesPerBatch: 2, reference: 'reference' }
  const own = await train(3, graph, { operator: reinforce, reference: true })
  t.match(own.summary, { status: 'completed', leaked: 0 }, own.summary.error?.message ?? '')
  const known = await train(
    3,
    {
      ...graph,
      surrogate: 'reinforce',
      aggregation: 'token-mean',
      beta: 1e-12,
    },
    { reference: true },
  )
  t.match(known.summary, { status: 'completed' }, known.summary.error?.message ?? '')
  const [found, wanted] = [own.lines('metrics'), known.lines('metrics')]
  t.same(
    found.map(({ step, key }) => [step, key]),
    wanted.map(({ step, key }) => [step, key]),
  )
  for (const [i, line] of wanted.entries()) {
    const near = (name: string) =>
      t.ok(
        Math.abs((found[i]?.[name] ?? 9) - line[name]) < 1e-5 * (1 + Math.abs(line[name])),
        `${name} of ${i}`,
      )
    for (const name of ['loss', 'grad_norm', 'entropy', 'reward', 'completion_length']) near(name)
    const missing = Object.keys(line).filter(name => !(name in (found[i] ?? {})))
    t.same(missing, [], 'no metric is missing')
    t.equal(found[i]?.['own/tokens'], i < 2 ? 8 : 4)
  }
  t.equal(own.lines('samples').length, 6)
})

t.test('a loss that is not finite, or has too few derivatives, is an error that shows it', async t => {
  const wrong = (loss: number, rows: number[][]) => groupLoss('Wrong.', () => ({ loss, dLogProbs: rows }))
  const faults: [Registry['operators'][string], RegExp][] = [
    [wrong(Number.NaN, []), /update: the loss must return a finite loss .* found loss NaN/],
    [wrong(1, [[1, 2, 3]]), /found 1 rows for 2 completions/],
    [wrong(1, [[1, 2, 3], []]), /found 0 derivatives for 1 tokens \(row 1\)/],
    [wrong(1, [[1, 2, Number.POSITIVE_INFINITY], [1]]), /found Infinity \(row 0, token 2\)/],
  ]
  for (const [operator, message] of faults) {
    const { summary } = await train(1, {}, { operator })
    t.match(summary, { status: 'failed', error: { message } })
  }
})
