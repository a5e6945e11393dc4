// What a run that is stopped leaves undone: `Context.leaves`.
import t, { type Test } from 'tap'
import { operator } from '../../../engine/operator.ts'
import join from '../../../operators/stream/join.ts'
import replay from '../../../operators/stream/replay.ts'
import { start, type TestBed, testBed, turn } from '../support.ts'

const leaver = operator({
  summary: 'Takes some turns for each number, unless it may leave it.',
  config: {},
  inputs: { numbers: 'any' },
  outputs: { numbers: { kind: 'any', like: 'numbers' } },
  drops: false,
  run: ({ numbers }, _, context) => ({
    numbers: numbers.pipe(
      context.each(async (value: unknown, item) => {
        if (context.leaves(item)) return undefined
        for (let turns = 0; turns < 20; turns++) await turn()
        return value
      }),
    ),
  }),
})

const bed = () => testBed({ operators: { leaver, join, replay } })
const count = { operator: 'range', config: { count: 6 } }
const line = {
  count,
  work: { operator: 'leaver', from: { numbers: 'count.numbers' } },
  end: { operator: 'collect', from: { items: 'work.numbers' } },
}

/** Stops a run when its first item has reached the end, and its source has ended. */
async function stopAtFirst(t: Test, nodes: object, on: TestBed, rest: object = {}) {
  const run = start(t, nodes, on, { rest })
  while (on.seen.length === 0 || !on.events.includes('source ended')) await turn()
  run.stop()
  return run.done
}

t.test(
  'items that have not begun are left, and the run counts as stopped though its source had ended',
  async t => {
    const on = bed()
    const summary = await stopAtFirst(t, line, on)
    t.match(summary, { status: 'stopped', leaked: 0, skipped: 0, error: undefined })
    t.ok(on.seen.length < 4, `${on.seen.length} of 6 were in work`)
    t.equal(summary.acknowledged, on.seen.length, 'what was left is not done')
    t.equal(on.buffers.live, 0)
  },
)

t.test('a run that keeps checkpoints leaves nothing: all that has begun is done', async t => {
  const on = bed()
  const summary = await stopAtFirst(t, line, on, { checkpoint: { every: 0 } })
  t.equal(summary.error, undefined)
  t.same(on.seen, [0, 1, 2, 3, 4, 5])
})

t.test('a run that is not stopped leaves nothing', async t => {
  const on = bed()
  t.match(await start(t, line, on).done, { status: 'completed', acknowledged: 6 })
})

t.test('an item whose partner was left is no fault', async t => {
  const on = bed()
  const nodes = {
    ...line,
    pairs: { operator: 'join', config: {}, from: { left: 'work.numbers', right: 'count.numbers' } },
    end: { operator: 'collect', from: { items: 'pairs.pairs' } },
  }
  const summary = await stopAtFirst(t, nodes, on)
  t.match(summary, { status: 'stopped', leaked: 0, error: undefined })
  t.ok(on.seen.length < 4)
})

t.test('passes that stream.replay has not made are left', async t => {
  const on = bed()
  const nodes = {
    count,
    again: { operator: 'replay', config: { epochs: 1000 }, from: { items: 'count.numbers' } },
    work: { operator: 'leaver', from: { numbers: 'again.items' } },
    end: { operator: 'collect', from: { items: 'work.numbers' } },
  }
  const summary = await stopAtFirst(t, nodes, on)
  t.match(summary, { status: 'stopped', acknowledged: 0, leaked: 0, error: undefined })
  t.ok(on.seen.length < 4)
  t.equal(on.buffers.live, 0)
})
