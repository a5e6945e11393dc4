import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { CodedError } from '../../../engine/shared/errors.ts'
import { runNodes, start, testBed, turn } from '../support.ts'
import { chain, lines } from './chain.ts'

t.test('an error ends the run and names node, item and seed; nothing leaks', async t => {
  const on = testBed()
  const summary = await runNodes(t, chain(50, { failAt: 10, concurrency: 4 }), on)
  t.equal(summary.status, 'failed')
  t.match(summary.error?.message, /^node "work" \(work\), item "10", seed \d+: boom$/)
  t.equal(summary.error?.code, 'operator-failed')
  t.equal(summary.error?.key, '10')
  t.equal(on.buffers.live, 0)
  t.equal(summary.leaked, 0)
})

t.test('skip puts the item into the dead letters and goes on', async t => {
  const on = testBed()
  const summary = await runNodes(t, chain(20, { failAt: 10, concurrency: 3 }, { onError: 'skip' }), on)
  t.equal(summary.status, 'completed')
  t.same(
    on.seen,
    Array.from({ length: 20 }, (_, i) => i).filter(i => i !== 10),
  )
  t.match(lines(summary.directory, 'dead-letters.jsonl'), [
    { node: 'work', operator: 'work', key: '10', seed: Number, error: 'boom' },
  ])
  t.match(lines(summary.directory, 'log.jsonl'), [
    { time: String, level: 'warn', node: 'work', message: 'work: skipped item "10": boom' },
  ])
  t.equal(summary.skipped, 1)
  t.equal(summary.acknowledged, 19)
  t.equal(on.buffers.live, 0)
})

t.test('an error of the machine ends a run that skips what fails', async t => {
  const errors = [
    Object.assign(new Error('too many open files'), { code: 'EMFILE' }),
    new Error('no room', { cause: Object.assign(new Error('full'), { code: 'ENOSPC' }) }),
    new CodedError('killed', 'the child was killed', { ofMachine: true }),
  ]
  for (const error of errors) {
    const work = operator({
      summary: 'Fails once.',
      config: {},
      inputs: { items: 'any' },
      outputs: { items: 'any' },
      run: ({ items }, _, context) => ({
        items: items.pipe(
          context.each((value, { key }) => {
            if (key === '3') throw error
            return value
          }),
        ),
      }),
    })
    for (const onError of ['skip', { skip: 0.5 }, { retry: 2, otherwise: 'skip' }]) {
      const nodes = {
        count: { operator: 'range', config: { count: 9 } },
        work: { operator: 'work', onError, from: { items: 'count.numbers' } },
        end: { operator: 'collect', from: { items: 'work.items' } },
      }
      const summary = await runNodes(t, nodes, testBed({ operators: { work } }))
      t.match(summary, { status: 'failed', skipped: 0, leaked: 0, error: { key: '3' } })
      t.match(summary.error?.message, error.message)
    }
  }
})

t.test('retry tries again, as often as stated and no more', async t => {
  const enough = testBed()
  const good = await runNodes(t, chain(12, { failAt: 5, failures: 2 }, { onError: { retry: 2 } }), enough)
  t.equal(good.status, 'completed')
  t.same(
    enough.seen,
    Array.from({ length: 12 }, (_, i) => i),
  )
  const short = testBed()
  const bad = await runNodes(t, chain(12, { failAt: 5, failures: 3 }, { onError: { retry: 2 } }), short)
  t.equal(bad.status, 'failed')
  t.equal(short.buffers.live, 0)
})

t.test('an abort frees everything at once', async t => {
  const on = testBed()
  const run = start(t, chain(100_000, { concurrency: 3 }), on)
  while (on.seen.length < 10) await turn()
  run.abort()
  const summary = await run.done
  t.equal(summary.status, 'aborted')
  t.equal(on.buffers.live, 0)
  t.equal(summary.leaked, 0)
})

t.test('a stop ends the sources, and the items in the network drain', async t => {
  const on = testBed()
  const run = start(t, chain(100_000, { concurrency: 3 }), on)
  while (on.seen.length < 10) await turn()
  run.stop()
  const summary = await run.done
  t.equal(summary.status, 'stopped')
  t.ok(on.seen.length < 1000)
  t.same(
    on.seen,
    Array.from({ length: on.seen.length }, (_, i) => i),
    'no gap',
  )
  t.equal(summary.acknowledged, on.seen.length)
  t.equal(on.buffers.live, 0)
})

t.test('work that does not end after an abort is named, and its items are freed', async t => {
  const hang = operator({
    summary: 'Never ends.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: {},
    run: ({ numbers }, _, context) => ({
      end: numbers.pipe(context.each(() => new Promise<undefined>(() => {}))),
    }),
  })
  const on = testBed({ operators: { hang } })
  const nodes = {
    count: { operator: 'range', config: { count: 9 } },
    hang: { operator: 'hang', from: { numbers: 'count.numbers' } },
  }
  const run = start(t, nodes, on, { abortSeconds: 0.05 })
  while (on.buffers.made < 5) await turn()
  run.abort()
  const summary = await run.done
  t.equal(summary.status, 'aborted')
  t.match(readFileSync(join(summary.directory, 'log.txt'), 'utf8'), /node "hang" did not stop/)
  t.equal(on.buffers.live, 0)
})

t.test('a share of skipped items is allowed, and more of them fail the run when it ends', async t => {
  const enough = await runNodes(t, chain(20, { failAt: 10 }, { onError: { skip: 0.05 } }), testBed())
  t.match(enough, { status: 'completed', skipped: 1 })
  const on = testBed()
  const more = await runNodes(t, chain(20, { failAt: 10 }, { onError: { skip: 0.04 } }), on)
  t.match(more, { status: 'failed', error: { code: 'too-many-skipped' } })
  t.match(
    more.error?.message,
    /^1 of 20 items were skipped, more than the share of 0.04 that onError of "work" allows/,
  )
  t.match(more.error?.remedy, /allow a larger share by --set nodes\.work\.onError\.skip=SHARE$/)
  t.equal(on.seen.length, 19, 'not before the end: a run of few items would end with its first')
})

t.test('a param that bounds the share is named in the log and in the error', async t => {
  const nodes = chain(20, { failAt: 10 }, { onError: { skip: `$${'{brokenClips}'}` } })
  const params = { brokenClips: { type: 'number', default: 0.04, description: 'Share.' } }
  const on = testBed()
  const text = JSON.stringify({ version: 1, summary: 'Skips.', params, nodes })
  const plan = loadGraph('g.json', on.registry, { read: () => text })
  const { error, directory } = await startRun(plan, { seed: 1, directory: t.testdir({}) }).done
  t.match(error?.message, 'more than the share of 0.04 that the param "brokenClips" allows')
  t.match(error?.remedy, /by --set brokenClips=SHARE$/)
  t.match(
    readFileSync(join(directory, 'log.txt'), 'utf8'),
    'work: skipped item "10": boom (at most 4 % of all items may be skipped: the param "brokenClips")',
  )
})

t.test('what a node may skip without limit does not count for the share of another node', async t => {
  const nodes = (share: number, failAt: number) => ({
    ...chain(20, { failAt: 10 }, { onError: 'skip' }),
    more: {
      operator: 'work',
      config: { failAt },
      from: { numbers: 'work.numbers' },
      onError: { skip: share },
    },
    end: { operator: 'collect', from: { items: 'more.numbers' } },
  })
  t.match(await runNodes(t, nodes(0, -1), testBed()), { status: 'completed', skipped: 1 })
  t.match(await runNodes(t, nodes(0.05, 7), testBed()), { status: 'completed', skipped: 2 })
  t.match(await runNodes(t, nodes(0.04, 7), testBed()), {
    status: 'failed',
    error: {
      message: /^1 of 20 items were skipped, more than the share of 0.04 that onError of "more" allows/,
    },
  })
})

t.test('a long run ends as soon as too many are skipped', async t => {
  const on = testBed()
  const none = await runNodes(t, chain(300, { failAt: 5 }, { onError: { skip: 0 } }), on)
  t.match(none, { status: 'failed', skipped: 1 })
  t.ok(on.seen.length < 100)
})

t.test('a number that a file of records cannot hold is said once, with node, stream and field', async t => {
  const measure = operator({
    summary: 'Records numbers.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: {},
    run: ({ numbers }, _, context) => ({
      end: numbers.pipe(
        context.each((n: number) => context.record('metrics', { loss: n > 0 ? Number.NaN : n, list: [n] })),
      ),
    }),
  })
  const on = testBed({ operators: { measure } })
  const nodes = {
    count: { operator: 'range', config: { count: 3 } },
    measure: { operator: 'measure', from: { numbers: 'count.numbers' } },
  }
  const { directory } = await runNodes(t, nodes, on)
  const log = readFileSync(join(directory, 'log.txt'), 'utf8')
  const line = 'measure: "loss" is NaN, which JSON has not: metrics.jsonl holds null there (said once)'
  t.equal(log.split('\n').filter(text => text === line).length, 1, log)
  t.equal(lines(directory, 'metrics.jsonl').length, 3)
})
