import t from 'tap'
import { scheduleLines } from '../../../engine/cli/new-schedule.ts'
import type { Plan } from '../../../engine/graph/plan.ts'

const planOf = (schedule: string, steps: number) =>
  // what is looked at of a plan
  ({
    resources: [
      { name: 'optimizer', config: { learningRate: 1, schedule, warmupRatio: 0, steps } },
      { name: 'policy', config: { path: 'x' } },
    ],
  }) as unknown as Plan

t.test('a run that goes on says what becomes of its learning rate', async t => {
  t.same(scheduleLines(planOf('linear', 4), planOf('linear', 8), 4), [
    'optimizer: the learning rate (linear) is drawn anew over 8 updates: update 5 has 0.5, which would be 0 by the schedule of 4',
  ])
  t.same(scheduleLines(planOf('constant', 4), planOf('constant', 8), 4), [
    'optimizer: the learning rate goes on as it was (constant): update 5 has 1',
  ])
  t.same(scheduleLines(planOf('linear', 4), planOf('linear', 4), 2), [], 'nothing is new')
})
