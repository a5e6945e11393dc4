import t from 'tap'
import filter, { teaches } from '../../../operators/grpo/filter.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

const config = {
  keep: 'varied',
  reward: '',
  low: 0.01,
  high: 0.99,
  mostDropped: 0,
  exhausted: 'error',
} as const
const equal = groupOf([{ reward: 1 }, { reward: 1 }])
const varied = groupOf([{ reward: 1 }, { reward: 0 }])
const over = (values: readonly unknown[], changes = {}) =>
  runOver(filter, { ...config, ...changes }, { port: 'groups', values, key: 'row 3' }, 'groups')

t.test('groups of equal rewards are dropped, and the next one says how many', async t => {
  t.same(await over([equal, varied, equal]), [{ ...varied, droppedBefore: 1 }])
})

t.test('the mean of one reward by name may decide', async t => {
  const group = (accuracies: number[]) => groupOf(accuracies.map(accuracy => ({ rewards: { accuracy } })))
  const groups = [group([0, 0]), group([0, 1]), group([1, 1])]
  t.same(await over(groups, { keep: 'range', reward: 'accuracy' }), [{ ...groups[1], droppedBefore: 1 }])
})

t.test('the range does not hold its ends', async t => {
  const options = { keep: 'range', low: 0, high: 1 } as const
  t.same(
    [[0], [0.5], [1]].map(rewards => teaches(rewards, options)),
    [false, true, false],
  )
})

t.test('too many dropped groups in a row are an error', async t => {
  t.same(await over([equal, varied, equal], { mostDropped: 2 }), [{ ...varied, droppedBefore: 1 }])
  await t.rejects(over([equal, equal], { mostDropped: 2 }), {
    code: 'nothing-to-learn',
    message: /last 2 groups/,
  })
})

t.test('or the last of the given number is kept, and counting begins again', async t => {
  const found = await over([equal, equal, equal, equal, equal], { mostDropped: 2, exhausted: 'keep' })
  t.equal(found.length, 2)
})

t.test('a missing reward is an error that says what to do', async t => {
  await t.rejects(over([equal], { reward: 'accuracy' }), {
    code: 'missing-reward',
    message: 'sample row 3: a completion has no reward "accuracy"; put a reward operator before this node',
  })
})
