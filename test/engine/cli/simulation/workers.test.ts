// The simulation gives the rates that can be computed by hand.
import t from 'tap'
import { simulate, type Times } from '../../../../engine/cli/simulation/workers.ts'

const near = (found: number, right: number) => Math.abs(found / right - 1) < 0.02

/** One second of work in the part, and nothing else. */
const times = (changes: Partial<Times> = {}): Times => ({
  before: [],
  part: [1],
  after: [],
  credits: 1000,
  ...changes,
})

t.test('workers add up until something else is slower', async t => {
  for (const [workers, right] of [
    [1, 1],
    [4, 4],
    [64, 64],
  ] as const)
    t.ok(near(simulate(times(), workers).perSecond, right), `${workers} workers`)
  t.ok(near(simulate(times({ credits: 2 }), 8).perSecond, 2), 'credits')
  t.ok(near(simulate(times({ after: [0.1, 0.5] }), 8).perSecond, 2), 'a node after the part')
  t.ok(near(simulate(times({ before: [0.25] }), 8).perSecond, 4), 'a node before the part')
})

t.test('nodes of a worker work on two items at the same time', async t => {
  t.ok(near(simulate(times({ part: [0.5, 0.5] }), 1).perSecond, 2))
})

const versions = { maxLag: 0, items: 1, update: 0.5, copy: 0.25, take: 0.25 }

t.test('with maxLag 0 everything waits for everything else, whatever the workers', async t => {
  for (const workers of [1, 8]) {
    const { perSecond, lag } = simulate(times({ versions }), workers)
    t.ok(near(perSecond, 1 / 2), `${workers} workers`)
    t.equal(lag, 0)
  }
})

t.test('with maxLag the update and its copies are the limit, and the lag is at most maxLag', async t => {
  const { perSecond, lag, updating } = simulate(times({ versions: { ...versions, maxLag: 6 } }), 16)
  t.ok(near(perSecond, 1 / 0.75))
  t.ok(lag <= 6 && lag > 5)
  t.ok(near(updating, 0.5 / 0.75))
})

t.test('an update of several items changes the weights for all of them', async t => {
  const { perSecond, lag } = simulate(
    times({ versions: { ...versions, items: 4, copy: 0, take: 0, maxLag: 3 } }),
    4,
  )
  t.ok(near(perSecond, 4 / 1.5), String(perSecond))
  t.equal(lag, 0)
})
