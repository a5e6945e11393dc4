import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operator, type Progress } from '../../../engine/operator.ts'
import { RunProgress } from '../../../engine/run/progress.ts'
import type { Run } from '../../../engine/run/summary.ts'
import { runNodes, start, testBed, turn } from '../support.ts'

/** A source that says how many it gives. */
const announced = operator({
  summary: 'Counts from zero, and says how far.',
  config: { count: { type: 'integer', minimum: 0, description: 'How many numbers.' } },
  inputs: {},
  outputs: { numbers: 'number' },
  run: (_, { count }, context) => ({
    numbers: context.source(async function* () {
      context.expect(count, 'numbers')
      for (let value = 0; value < count; value++) yield { key: String(value), value }
    }),
  }),
})

const chain = (count: number, failAt = -1, onError: unknown = 'stop') => ({
  count: { operator: 'announced', config: { count } },
  work: { operator: 'work', config: { failAt }, from: { numbers: 'count.numbers' }, onError },
  seen: { operator: 'collect', from: { items: 'work.numbers' } },
})

t.test('items of sources are counted where no node counts anything else', async t => {
  const told: Progress[] = []
  const on = testBed({ operators: { announced } })
  const onEvent = (event: { type: string; state?: Progress }) => {
    if (event.type === 'progress' && event.state) told.push(event.state)
  }
  const { directory } = await runNodes(t, chain(3), on, { onEvent })
  t.same(
    told,
    [1, 2, 3].map(done => ({ done, total: 3, of: 'numbers' })),
  )
  t.same(JSON.parse(readFileSync(join(directory, 'status.json'), 'utf8')).progress, told.at(-1))
})

t.test('updates count before questions, and questions before items', t => {
  const told: Progress[] = []
  const progress = new RunProgress(state => told.push(state))
  progress.source('rows')
  progress.settled(1)
  t.same(told, [], 'nothing is known of how many will come')
  progress.expect('rows', 8, 'rows')
  progress.settled(2)
  progress.told({ done: 1, total: 4, of: 'questions' })
  progress.settled(3)
  progress.told({ done: 1, total: 2 })
  progress.told({ done: 2, total: 4, of: 'questions' })
  t.same(told, [
    { done: 2, total: 8, of: 'rows' },
    { done: 1, total: 4, of: 'questions' },
    { done: 1, total: 2 },
  ])
  t.notOk(progress.isWhole)
  progress.source('more')
  t.equal(progress.expected, undefined, 'another source has not said how many it gives')
  t.end()
})

/** Stops a run as soon as something is true; what it still has to do then. */
async function stopped(run: Run, isTime: () => boolean) {
  while (!isTime()) await turn()
  const { open } = run
  run.stop()
  return { open, ...(await run.done) }
}

t.test('a run that is stopped when nothing is left to begin is completed', async t => {
  const on = testBed({ operators: { announced } })
  const nodes = { ...chain(9), count: { operator: 'range', config: { count: 9 } } }
  const late = await stopped(start(t, nodes, on), () => on.events.includes('source ended'))
  t.match(late, { status: 'completed', acknowledged: 9 })

  const early = testBed({ operators: { announced } })
  const cut = await stopped(start(t, chain(5000), early), () => early.seen.length > 3)
  t.equal(cut.status, 'stopped')
  t.ok(cut.open > 0, 'some were on their way')
  t.ok(cut.acknowledged < 5000)
})

t.test('of announced items a share that cannot be kept any more ends the run at once', async t => {
  const on = testBed({ operators: { announced } })
  const run = await runNodes(t, chain(20, 3, { skip: 0.04 }), on)
  t.match(run, { status: 'failed', error: { code: 'too-many-skipped' } })
  t.match(run.error?.message, /^1 of 20 items were skipped, more than the share of 0.04/)
  t.ok(on.seen.length < 19, `${on.seen.length} were worked on`)
  t.match(await runNodes(t, chain(20, 3, { skip: 0.05 }), testBed({ operators: { announced } })), {
    status: 'completed',
    skipped: 1,
  })
})
