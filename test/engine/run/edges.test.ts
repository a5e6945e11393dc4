import { mergeMap, tap } from 'rxjs'
import t from 'tap'
import { type Item, operator } from '../../../engine/operator.ts'
import { runNodes, testBed, turn } from '../support.ts'

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
  const on = testBed({ operators: { burst } })
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
    const on = testBed({ operators: { plain: plain(credits) } })
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

t.test('an output that nobody takes is freed', async t => {
  const on = testBed()
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
  const on = testBed({ operators: { lazy } })
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
  const on = testBed()
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
  const on = testBed({ operators: { both } })
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
