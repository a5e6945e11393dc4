import t from 'tap'
import { groupMetrics, type MeasuredGroup } from '../../../operators/grpo/group-metrics.ts'
import type { Completion } from '../../../operators/kinds.ts'

const completion = (rewards: Record<string, number | null>) =>
  ({ ids: [1, 2], finished: true, rewards, reward: 1 }) as unknown as Completion

t.test('a reward is averaged where it applies, and one that applies nowhere has no metric', t => {
  const group: MeasuredGroup = {
    completions: [
      completion({ judge: null, right: 1, brief: 0.5 }),
      completion({ judge: null, right: 0, brief: null }),
    ],
  }
  const metrics = groupMetrics([group])
  t.equal(metrics['rewards/right'], 0.5)
  t.equal(metrics['rewards/brief'], 0.5)
  t.notOk('rewards/judge' in metrics)
  t.end()
})
