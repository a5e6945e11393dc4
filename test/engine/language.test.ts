import t from 'tap'
import { operator } from '../../engine/operator.ts'
import batch from '../../operators/stream/batch.ts'
import join from '../../operators/stream/join.ts'
import { runNodes, testBed, turn } from './support.ts'

const range = (config: object) => ({ operator: 'range', config })
const collect = (edge: string) => ({ operator: 'collect', from: { items: edge } })
const extra = (more: object = {}) =>
  testBed({ operators: { 'stream.batch': batch, 'stream.join': join, ...more } })

t.test('parallel is the number of items worked on at once; their order is kept', async t => {
  let now = 0
  let most = 0
  const slow = operator({
    summary: 'Takes its time.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, _, context) => ({
      numbers: numbers.pipe(
        context.each(async (value: number) => {
          most = Math.max(most, ++now)
          for (let turns = 4 - (value % 4); turns > 0; turns--) await turn()
          now--
          return value
        }),
      ),
    }),
  })
  const on = extra({ slow })
  const graph = (rest: object) => ({
    count: range({ count: 24 }),
    slow: { operator: 'slow', from: { numbers: 'count.numbers' }, ...rest },
    end: collect('slow.numbers'),
  })
  t.match(await runNodes(t, graph({}), on), { status: 'completed', leaked: 0 })
  t.equal(most, 1)
  t.match(await runNodes(t, graph({ parallel: 3 }), on, { directory: t.testdir() }), {
    status: 'completed',
    leaked: 0,
  })
  t.equal(most, 3)
  t.same(on.seen, [...Array(24).keys(), ...Array(24).keys()])
})

t.test('retry waits longer each time, and then stops or gives the item up', async t => {
  const graph = (config: object, onError: object) => ({
    count: range({ count: 4 }),
    work: { operator: 'work', config: { failAt: 2, ...config }, from: { numbers: 'count.numbers' }, onError },
    end: collect('work.numbers'),
  })
  const on = extra()
  const began = performance.now()
  const twice = await runNodes(t, graph({ failures: 2 }, { retry: 2, backoffMs: 20 }), on, {
    directory: t.testdir(),
  })
  t.match(twice, { status: 'completed', skipped: 0, leaked: 0 })
  t.ok(performance.now() - began >= 59, '20 ms and then 40 ms')
  t.same(on.seen, [0, 1, 2, 3])
  t.match(
    await runNodes(t, graph({}, { retry: 1, backoffMs: 1, otherwise: 'skip' }), extra(), {
      directory: t.testdir(),
    }),
    {
      status: 'completed',
      skipped: 1,
      leaked: 0,
    },
  )
  t.match(await runNodes(t, graph({}, { retry: 1, backoffMs: 1 }), extra(), { directory: t.testdir() }), {
    status: 'failed',
    leaked: 0,
  })
})

t.test('a batch ends by number, by bytes and by time', async t => {
  const lists = async (count: number, bytes: number, config: object) => {
    const on = extra()
    const nodes = {
      count: range({ count, bytes }),
      lists: { operator: 'stream.batch', config, from: { items: 'count.numbers' } },
      end: collect('lists.lists'),
    }
    t.match(await runNodes(t, nodes, on, { directory: t.testdir() }), { status: 'completed', leaked: 0 })
    return on.seen
  }
  t.same(await lists(5, 10, { size: 2 }), [[0, 1], [2, 3], [4]])
  t.same(await lists(5, 10, { size: 9, bytes: 30 }), [
    [0, 1, 2],
    [3, 4],
  ])
  t.same(await lists(2, 50, { size: 9, bytes: 30 }), [[0], [1]], 'one larger than all is alone')

  const slow = operator({
    summary: 'Lets a second item wait for the first list.',
    config: {},
    inputs: {},
    outputs: { numbers: 'number' },
    run: (_, __, context) => ({
      numbers: context.source(async function* () {
        yield { key: 'a', value: 1 }
        while (on.seen.length === 0) await turn()
        yield { key: 'b', value: 2 }
      }),
    }),
  })
  const on = extra({ slow })
  const nodes = {
    slow: { operator: 'slow' },
    lists: { operator: 'stream.batch', config: { size: 2, seconds: 0.01 }, from: { items: 'slow.numbers' } },
    end: collect('lists.lists'),
  }
  t.match(await runNodes(t, nodes, on, { directory: t.testdir() }), { status: 'completed', leaked: 0 })
  t.same(on.seen, [[1], [2]])
})

t.test('join pairs items of the same key', async t => {
  const run = async (left: number, config: object = {}) => {
    const on = extra()
    const nodes = {
      one: range({ count: left }),
      two: range({ count: 5 }),
      doubled: { operator: 'double', from: { numbers: 'two.numbers' } },
      pairs: { operator: 'stream.join', config, from: { left: 'one.numbers', right: 'doubled.numbers' } },
      end: collect('pairs.pairs'),
    }
    return { on, summary: await runNodes(t, nodes, on, { directory: t.testdir() }) }
  }
  const same = await run(5)
  t.match(same.summary, { status: 'completed', leaked: 0 })
  t.same(
    same.on.seen,
    [0, 1, 2, 3, 4].map(i => ({ left: i, right: 2 * i })),
  )
  t.equal(same.on.buffers.live, 0)
  const more = await run(7)
  t.match(more.summary, {
    status: 'failed',
    leaked: 0,
    error: { message: /2 items have no partner, the first has the key "5"/ },
  })
  const dropped = await run(7, { unmatched: 'drop' })
  t.match(dropped.summary, { status: 'completed', leaked: 0 })
  t.equal(dropped.on.seen.length, 5)
})
