import { bufferCount, map, pipe } from 'rxjs'
import t from 'tap'
import { type Item, operator } from '../../../../engine/operator.ts'
import { runNodes, start, type TestBed, testBed, turn } from '../../support.ts'

/** A generator and an update joined in a cycle, as in GRPO; both write down what they do. */
function loop(skipAt = -1): TestBed {
  const generate = operator({
    summary: 'Generates.',
    config: {},
    inputs: { numbers: 'number', weights: { kind: 'version', optional: true } },
    outputs: { groups: 'group' },
    run: ({ numbers }, _, context) => ({
      groups: numbers.pipe(
        context.each(
          async (value: number) => {
            on.events.push(`generate ${value}`)
            await turn()
            if (value === skipAt) throw new Error('boom')
            return context.emit(value, { dispose: on.buffers.make() })
          },
          { concurrency: 3 },
        ),
      ),
    }),
  })
  const update = operator({
    summary: 'Updates.',
    config: {},
    inputs: { groups: 'group' },
    outputs: { version: 'version' },
    run: ({ groups }, _, context) => ({
      version: groups.pipe(
        context.each(async (value: number) => {
          await turn()
          on.events.push(`update ${value}`)
          return context.emit(value, { dispose: on.buffers.make() })
        }),
      ),
    }),
  })
  const updateAll = operator({
    summary: 'Updates with a list of groups.',
    config: {},
    inputs: { lists: 'list' },
    outputs: { version: 'version' },
    run: ({ lists }, _, context) => ({
      version: lists.pipe(
        context.each((values: readonly number[]) => {
          on.events.push(`update ${values.join('+')}`)
          return values.length
        }),
      ),
    }),
  })
  const batch = operator({
    summary: 'Pairs.',
    config: {},
    inputs: { items: 'any' },
    outputs: { lists: 'list' },
    credits: () => 2,
    run: ({ items }) => ({ lists: items.pipe(pairs()) }),
  })
  const on = testBed({ operators: { generate, update, updateAll, batch } })
  return on
}

const pairs = () =>
  pipe(
    bufferCount<Item<unknown>>(2),
    map(list => {
      const made = list[0].derive(
        list.map(item => item.value),
        { parents: list },
      )
      for (const item of list) item.release()
      return made
    }),
  )

const nodes = (count: number, maxLag: number | undefined, rest: object = {}) => ({
  count: { operator: 'range', config: { count } },
  generate: {
    operator: 'generate',
    from: {
      numbers: 'count.numbers',
      weights: {
        edge: 'update.version',
        keep: 'latest',
        initial: 0,
        ...(maxLag !== undefined && { maxLag }),
      },
    },
    ...rest,
  },
  update: { operator: 'update', from: { groups: 'generate.groups' } },
})

t.test('with maxLag 0 each item is generated after the update of the one before', async t => {
  const on = loop()
  const summary = await runNodes(t, nodes(5, 0), on)
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  const expected = [0, 1, 2, 3, 4].flatMap(i => [`generate ${i}`, `update ${i}`])
  t.same(
    on.events.filter(event => event !== 'source ended'),
    expected,
  )
  t.equal(on.buffers.live, 0)
  t.equal(summary.acknowledged, 5)
})

t.test('with maxLag n at most n more items are in the cycle', async t => {
  for (const maxLag of [1, 2]) {
    const on = loop()
    const summary = await runNodes(t, nodes(12, maxLag), on)
    t.equal(summary.status, 'completed', summary.error?.message ?? '')
    let ahead = 0
    let most = 0
    for (const event of on.events) {
      if (event.startsWith('generate')) most = Math.max(most, ++ahead)
      if (event.startsWith('update')) ahead--
    }
    t.equal(most, maxLag + 1)
    t.equal(on.buffers.live, 0)
  }
})

t.test('an item that is skipped counts as answered', async t => {
  const on = loop(2)
  const summary = await runNodes(t, nodes(5, 0, { onError: 'skip' }), on)
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  t.equal(summary.skipped, 1)
  t.same(
    on.events.filter(event => event.startsWith('update')),
    ['update 0', 'update 1', 'update 3', 'update 4'],
  )
  t.equal(on.buffers.live, 0)
})

t.test('without maxLag the cycle runs freely and still ends', async t => {
  const on = loop()
  const summary = await runNodes(t, nodes(9, undefined), on)
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  t.equal(on.events.filter(event => event.startsWith('update')).length, 9)
  t.equal(on.buffers.live, 0)
})

t.test('a batch in the cycle needs a lag as large; with less the run says so instead of hanging', async t => {
  const batched = (maxLag: number) => ({
    ...nodes(6, maxLag),
    pairs: { operator: 'batch', from: { items: 'generate.groups' } },
    update: { operator: 'updateAll', from: { lists: 'pairs.lists' } },
  })
  const on = loop()
  const summary = await runNodes(t, batched(1), on)
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  t.same(
    on.events.filter(event => event !== 'source ended'),
    [0, 2, 4].flatMap(i => [`generate ${i}`, `generate ${i + 1}`, `update ${i}+${i + 1}`]),
  )
  const stuck = loop()
  const stalled = await runNodes(t, batched(0), stuck, { stallSeconds: 0.05 })
  t.equal(stalled.error?.code, 'stalled')
  t.match(
    stalled.error?.message,
    /"generate\.numbers" waits for the feedback edge update\.version → generate\.weights \(maxLag 0/,
  )
  t.equal(stuck.buffers.live, 0)
})

t.test('a stop drains a cycle', async t => {
  const on = loop()
  const run = start(t, nodes(100_000, 0), on)
  while (on.events.length < 20) await turn()
  run.stop()
  const summary = await run.done
  t.equal(summary.status, 'stopped')
  const count = (verb: string) => on.events.filter(event => event.startsWith(verb)).length
  t.equal(count('generate'), count('update'))
  t.equal(on.buffers.live, 0)
})

t.test('a token that goes round a cycle without other inputs ends when nothing moves any more', async t => {
  const countDown = operator({
    summary: 'Passes on one less until zero.',
    config: {},
    inputs: { tokens: 'number' },
    outputs: { tokens: 'number' },
    run: ({ tokens }, _, context) => ({
      tokens: tokens.pipe(
        context.each((value: number) => {
          on.seen.push(value)
          return value > 0 ? value - 1 : undefined
        }),
      ),
    }),
  })
  const on = testBed({ operators: { countDown } })
  const summary = await runNodes(
    t,
    { down: { operator: 'countDown', from: { tokens: { edge: 'down.tokens', initial: 5 } } } },
    on,
  )
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  t.same(on.seen, [5, 4, 3, 2, 1, 0])
})
