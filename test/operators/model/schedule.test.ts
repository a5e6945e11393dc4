import t from 'tap'
import { learningRateAt } from '../../../operators/model/schedule.ts'

const base = { learningRate: 2, warmupRatio: 0.2, steps: 10 } as const

t.test('the warm-up begins at 0 and reaches the peak after its share of the steps', async t => {
  const rates = [0, 1, 2].map(done => learningRateAt(done, { ...base, schedule: 'constant' }))
  t.same(rates, [0, 1, 2])
})

t.test('cosine and linear fall to 0 at the last step and stay there', async t => {
  for (const schedule of ['cosine', 'linear'] as const) {
    t.equal(learningRateAt(6, { ...base, schedule }), 1, `${schedule} is at half its peak half way`)
    t.equal(learningRateAt(10, { ...base, schedule }), 0)
    t.equal(learningRateAt(12, { ...base, schedule }), 0)
  }
})

t.test('without warm-up the first update has the peak rate', async t => {
  t.equal(learningRateAt(0, { ...base, warmupRatio: 0, schedule: 'cosine' }), 2)
})

t.test('the published run of 687 steps warms up over 21', async t => {
  const published = { learningRate: 1, warmupRatio: 0.03, steps: 687, schedule: 'cosine' } as const
  t.ok(learningRateAt(20, published) < 1)
  t.equal(learningRateAt(21, published), 1)
})
