import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mergeMap, of, tap } from 'rxjs'
import t from 'tap'
import { type Item, operator, type Streams } from '../../../engine/operator.ts'
import { bench, runNodes, start, turn } from '../support.ts'

const lines = (directory: string, file: string): unknown[] =>
  readFileSync(join(directory, file), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

const chain = (count: number, work: object = {}, rest: object = {}) => ({
  count: { operator: 'range', config: { count } },
  work: { operator: 'work', config: work, from: { numbers: 'count.numbers' }, ...rest },
  end: { operator: 'collect', from: { items: 'work.numbers' } },
})

t.test('a run hands everything on once, in order, and frees it, whatever the concurrency', async t => {
  for (const concurrency of [1, 2, 7]) {
    const on = bench()
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
  const on = bench()
  await runNodes(t, chain(300), on)
  t.ok(on.buffers.peak <= 20, `peak ${on.buffers.peak}: two edges of 4, what is worked on, kept parents`)
})

t.test('a graph without items completes', async t => {
  const on = bench()
  const summary = await runNodes(t, chain(0), on)
  t.equal(summary.status, 'completed')
  t.same(on.seen, [])
})

t.test('one input may give many results, and none', async t => {
  const many = bench()
  await runNodes(t, chain(3, { copies: 9 }), many)
  t.equal(many.seen.length, 27)
  t.equal(many.buffers.live, 0)
  const none = bench()
  const summary = await runNodes(t, chain(30, { copies: 0 }), none)
  t.equal(none.seen.length, 0)
  t.equal(summary.acknowledged, 30)
})

t.test('results of one input wait for room: the edge holds no more than its capacity', async t => {
  let emitted = 0
  let ahead = 0
  const burst = operator({
    summary: 'Gives ten results at once.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, _, context) => ({
      numbers: numbers.pipe(
        context.each((value: number) => Array.from({ length: 10 }, () => value)),
        tap(() => {
          ahead = Math.max(ahead, ++emitted - on.seen.length)
        }),
      ),
    }),
  })
  const on = bench({ operators: { burst } })
  const from = { items: { edge: 'burst.numbers', capacity: { items: 2 } } }
  const nodes = {
    count: { operator: 'range', config: { count: 20 } },
    burst: { operator: 'burst', from: { numbers: 'count.numbers' } },
    end: { operator: 'collect', from },
  }
  await runNodes(t, nodes, on)
  t.equal(on.seen.length, 200)
  t.ok(ahead <= 3, `${ahead} ahead: two wait on the edge and one is at the consumer`)
})

t.test('an error ends the run and names node, item and seed; nothing leaks', async t => {
  const on = bench()
  const summary = await runNodes(t, chain(50, { failAt: 10, concurrency: 4 }), on)
  t.equal(summary.status, 'failed')
  t.match(summary.error?.message, /^node "work" \(work\), item "10", seed \d+: boom$/)
  t.equal(summary.error?.code, 'operator-failed')
  t.equal(summary.error?.key, '10')
  t.equal(on.buffers.live, 0)
  t.equal(summary.leaked, 0)
})

t.test('skip puts the item into the dead letters and goes on', async t => {
  const on = bench()
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

t.test('retry tries again, as often as stated and no more', async t => {
  const enough = bench()
  const good = await runNodes(t, chain(12, { failAt: 5, failures: 2 }, { onError: { retry: 2 } }), enough)
  t.equal(good.status, 'completed')
  t.same(
    enough.seen,
    Array.from({ length: 12 }, (_, i) => i),
  )
  const short = bench()
  const bad = await runNodes(t, chain(12, { failAt: 5, failures: 3 }, { onError: { retry: 2 } }), short)
  t.equal(bad.status, 'failed')
  t.equal(short.buffers.live, 0)
})

t.test('an abort frees everything at once', async t => {
  const on = bench()
  const run = start(t, chain(100_000, { concurrency: 3 }), on)
  while (on.seen.length < 10) await turn()
  run.abort()
  const summary = await run.done
  t.equal(summary.status, 'aborted')
  t.equal(on.buffers.live, 0)
  t.equal(summary.leaked, 0)
})

t.test('a stop ends the sources, and what is under way drains', async t => {
  const on = bench()
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
  const on = bench({ operators: { hang } })
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

t.test('credits bound what RxJS operators hold', async t => {
  let inside = 0
  let peak = 0
  const plain = (credits?: () => number) =>
    operator({
      summary: 'Works with plain mergeMap, which would take all it can get.',
      config: {},
      inputs: { numbers: 'number' },
      outputs: { numbers: 'number' },
      ...(credits && { credits }),
      run: ({ numbers }) => ({
        numbers: numbers.pipe(
          mergeMap(async (item: Item) => {
            peak = Math.max(peak, ++inside)
            await turn()
            inside--
            return item
          }),
        ),
      }),
    })
  for (const [credits, expected] of [
    [undefined, 4],
    [() => 9, 9],
    [() => 1, 1],
  ] as const) {
    inside = 0
    peak = 0
    const on = bench({ operators: { plain: plain(credits) } })
    const nodes = {
      count: { operator: 'range', config: { count: 100 } },
      plain: { operator: 'plain', from: { numbers: { edge: 'count.numbers', capacity: { items: 20 } } } },
      end: { operator: 'collect', from: { items: { edge: 'plain.numbers', capacity: { items: 100 } } } },
    }
    const summary = await runNodes(t, nodes, on)
    t.equal(summary.status, 'completed', summary.error?.message ?? '')
    t.equal(on.seen.length, 100)
    t.equal(peak, expected)
    t.equal(on.buffers.live, 0)
  }
})

t.test(
  'fan-out gives every branch every item, fan-in merges, and buffers are freed after the last branch',
  async t => {
    const on = bench()
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

t.test('an output that nobody takes is freed', async t => {
  const on = bench()
  const summary = await runNodes(t, { count: { operator: 'range', config: { count: 40 } } }, on)
  t.equal(summary.acknowledged, 40)
  t.equal(on.buffers.live, 0)
})

t.test('drop-oldest keeps the newest items and counts the others', async t => {
  const lazy = operator({
    summary: 'Takes the first item only when the source has ended.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    run: ({ items }, _, context) => ({
      end: items.pipe(
        context.each(async (value: unknown) => {
          while (!on.events.includes('source ended')) await turn()
          on.seen.push(value)
          return undefined
        }),
      ),
    }),
  })
  const on = bench({ operators: { lazy } })
  const nodes = {
    count: { operator: 'range', config: { count: 20 } },
    end: {
      operator: 'lazy',
      from: { items: { edge: 'count.numbers', capacity: { items: 3 }, whenFull: 'drop-oldest' } },
    },
  }
  const summary = await runNodes(t, nodes, on)
  t.same(on.seen.slice(-3), [17, 18, 19])
  t.equal(summary.dropped, 20 - on.seen.length)
  t.ok(summary.dropped >= 10)
  t.equal(on.buffers.live, 0)
})

t.test('an edge that must not be full ends the run when it is', async t => {
  const on = bench()
  const nodes = {
    count: { operator: 'range', config: { count: 200 } },
    end: {
      operator: 'work',
      from: { numbers: { edge: 'count.numbers', capacity: { items: 2 }, whenFull: 'error' } },
    },
  }
  const summary = await runNodes(t, nodes, on)
  t.equal(summary.error?.code, 'edge-full')
  t.match(summary.error?.message, /edge count.numbers → end.numbers is full \(2 items or 1073741824 bytes\)/)
  t.equal(on.buffers.live, 0)
})

t.test('an operator that breaks the contract is told so', async t => {
  const cases: readonly (readonly [string, () => Streams])[] = [
    // biome-ignore lint/suspicious/noExplicitAny: the very mistake that the types would refuse.
    ['must emit items, emitted 1: make items', () => ({ numbers: of(1 as any) })],
    ['must return a stream for the output "numbers"', () => ({ other: of() })],
    ['must return a stream for the engine', () => ({})],
    [
      'wired wrong',
      () => {
        throw new Error('wired wrong')
      },
    ],
  ]
  for (const [expected, run] of cases) {
    const odd = operator({ summary: 'Is odd.', config: {}, inputs: {}, outputs: { numbers: 'number' }, run })
    const summary = await runNodes(t, { odd: { operator: 'odd' } }, bench({ operators: { odd } }))
    t.equal(summary.status, 'failed', expected)
    t.ok(summary.error?.message.includes(expected), summary.error?.message ?? '')
  }
})

t.test('an item that is emitted or released twice is a mistake of the operator', async t => {
  const twice = operator({
    summary: 'Emits each item twice.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }) => ({ numbers: numbers.pipe(mergeMap(item => of(item, item))) }),
  })
  const on = bench({ operators: { twice } })
  const nodes = {
    count: { operator: 'range', config: { count: 3 } },
    twice: { operator: 'twice', from: { numbers: 'count.numbers' } },
  }
  const summary = await runNodes(t, nodes, on)
  t.equal(summary.error?.code, 'operator-misused')
  t.match(summary.error?.message, /item "0" twice or released/)
  t.equal(on.buffers.live, 0)
})

t.test('an input subscribed to twice gives each subscriber its own item', async t => {
  const both = operator({
    summary: 'Uses its input twice.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { up: 'number', down: 'number' },
    run: ({ numbers }, _, { each }) => ({
      up: numbers.pipe(each((value: number) => value + 1)),
      down: numbers.pipe(each((value: number) => value - 1)),
    }),
  })
  const on = bench({ operators: { both } })
  const nodes = {
    count: { operator: 'range', config: { count: 30 } },
    both: { operator: 'both', from: { numbers: 'count.numbers' } },
    end: { operator: 'collect', from: { items: ['both.up', 'both.down'] } },
  }
  const summary = await runNodes(t, nodes, on)
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  t.equal(on.seen.length, 60)
  t.equal(on.buffers.live, 0)
})

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
    const on = bench({ operators: { look } })
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
  const on = bench({ operators: { collectAll } })
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
  const on = bench()
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
  const summary = await runNodes(t, chain(1), bench(), { directory: join(directory, 'file/run') })
  t.equal(summary.error?.code, 'write-failed')
  t.match(summary.error?.message, /^cannot write .*file\/run/)
})
