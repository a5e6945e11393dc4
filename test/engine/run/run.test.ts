import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mergeMap, of } from 'rxjs'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { runNodes, testBed } from '../support.ts'
import { chain } from './chain.ts'

t.test('a run hands everything on once, in order, and frees it, whatever the concurrency', async t => {
  for (const concurrency of [1, 2, 7]) {
    const on = testBed()
    const summary = await runNodes(t, chain(50, { concurrency }), on)
    t.equal(summary.status, 'completed', summary.error?.message ?? '')
    t.same(
      on.seen,
      Array.from({ length: 50 }, (_, i) => i),
    )
    t.equal(on.buffers.made, 100)
    t.equal(on.buffers.live, 0)
    t.equal(summary.leaked, 0)
    t.equal(summary.acknowledged, 50)
  }
})

t.test('a fast source and a slow worker keep few buffers alive', async t => {
  const on = testBed()
  await runNodes(t, chain(300), on)
  t.ok(on.buffers.peak <= 20, `peak ${on.buffers.peak}: two edges of 4, what is worked on, kept parents`)
})

t.test('a graph without items completes', async t => {
  const on = testBed()
  const summary = await runNodes(t, chain(0), on)
  t.equal(summary.status, 'completed')
  t.same(on.seen, [])
})

t.test('one input may give many results, and none', async t => {
  const many = testBed()
  await runNodes(t, chain(3, { copies: 9 }), many)
  t.equal(many.seen.length, 27)
  t.equal(many.buffers.live, 0)
  const none = testBed()
  const summary = await runNodes(t, chain(30, { copies: 0 }), none)
  t.equal(none.seen.length, 0)
  t.equal(summary.acknowledged, 30)
})

t.test(
  'fan-out gives every branch every item, fan-in merges, and buffers are freed after the last branch',
  async t => {
    const on = testBed()
    const nodes = {
      count: { operator: 'range', config: { count: 40 } },
      left: { operator: 'work', from: { numbers: 'count.numbers' } },
      right: { operator: 'double', from: { numbers: 'count.numbers' } },
      end: { operator: 'collect', from: { items: ['left.numbers', 'right.numbers'] } },
    }
    const summary = await runNodes(t, nodes, on)
    t.equal(summary.status, 'completed', summary.error?.message ?? '')
    const numbers = on.seen.map(Number).sort((a, b) => a - b)
    const expected = Array.from({ length: 40 }, (_, i) => [i, 2 * i])
      .flat()
      .sort((a, b) => a - b)
    t.same(numbers, expected)
    t.equal(summary.acknowledged, 40)
    t.equal(on.buffers.live, 0)
  },
)

t.test('seeds depend on the run, the source and the key, not on timing', async t => {
  const seeds = async (seed: number, concurrency: number) => {
    const seen: number[] = []
    const look = operator({
      summary: 'Notes seeds.',
      config: {},
      inputs: { numbers: 'number' },
      outputs: {},
      run: ({ numbers }, _, context) => ({
        end: numbers.pipe(
          context.each((_value: unknown, item) => {
            seen.push(item.seed)
            return undefined
          }),
        ),
      }),
    })
    const on = testBed({ operators: { look } })
    const nodes = {
      ...chain(10, { concurrency }),
      end: { operator: 'look', from: { numbers: 'work.numbers' } },
    }
    await runNodes(t, nodes, on, { seed })
    return seen
  }
  const first = await seeds(1, 1)
  t.same(await seeds(1, 5), first)
  t.equal(new Set(first).size, 10)
  t.notSame(await seeds(2, 1), first)
  t.ok(first.every(seed => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
})

t.test('a run that waits for what cannot come ends with the reason', async t => {
  const collectAll = operator({
    summary: 'Collects without declaring credits.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }) => ({ numbers: numbers.pipe(mergeMap(() => of())) }),
  })
  const on = testBed({ operators: { collectAll } })
  const nodes = {
    count: { operator: 'range', config: { count: 30 } },
    all: { operator: 'collectAll', from: { numbers: 'count.numbers' } },
    end: { operator: 'collect', from: { items: 'all.numbers' } },
  }
  const summary = await runNodes(t, nodes, on, { stallSeconds: 0.05 })
  t.equal(summary.error?.code, 'stalled')
  t.match(summary.error?.message, /"all\.numbers" holds 4 items and may hold no more/)
  t.equal(on.buffers.live, 0)
})

t.test('the manifest says what ran, and how it ended', async t => {
  const on = testBed()
  const nodes = chain(3)
  const summary = await runNodes(t, nodes, on, { seed: 7, rest: { params: {} } })
  const manifest = JSON.parse(readFileSync(join(summary.directory, 'manifest.json'), 'utf8'))
  t.match(manifest, {
    seed: 7,
    graph: 'g.json',
    status: 'completed',
    leaked: 0,
    versions: { node: process.versions.node, rxjs: /^7\./ },
  })
  t.same(manifest.resolved.nodes, nodes)
})

t.test('an output folder that cannot be made is an error that names it', async t => {
  const directory = t.testdir({ file: '' })
  const summary = await runNodes(t, chain(1), testBed(), { directory: join(directory, 'file/run') })
  t.equal(summary.error?.code, 'write-failed')
  t.match(summary.error?.message, /^cannot write .*file\/run/)
})
