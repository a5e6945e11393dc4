import { NEVER, Observable, of, type Subscriber } from 'rxjs'
import t, { type Test } from 'tap'
import { type Context, type Item, operator, type Streams } from '../../../engine/operator.ts'
import { runNodes, testBed } from '../support.ts'

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
    const summary = await runNodes(t, { odd: { operator: 'odd' } }, testBed({ operators: { odd } }))
    t.equal(summary.status, 'failed', expected)
    t.ok(summary.error?.message.includes(expected), summary.error?.message ?? '')
  }
})

/** Runs three numbers through an operator that handles its input with plain RxJS in its own way. */
async function runThrough(
  t: Test,
  handle: (item: Item<number>, output: Subscriber<Item>, context: Context) => void,
) {
  const odd = operator({
    summary: 'Is odd.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, _, context) => ({
      numbers: new Observable<Item>(output =>
        numbers.subscribe({ next: item => handle(item, output, context), complete: () => output.complete() }),
      ),
    }),
  })
  const on = testBed({ operators: { odd } })
  const summary = await runNodes(t, oddNodes, on)
  t.equal(summary.status, 'failed')
  t.equal(summary.leaked, 0, 'nothing leaks')
  t.equal(on.buffers.live, 0, 'all buffers are freed')
  return summary
}

const oddNodes = {
  count: { operator: 'range', config: { count: 3 } },
  odd: { operator: 'odd', from: { numbers: 'count.numbers' } },
  end: { operator: 'collect', from: { items: 'odd.numbers' } },
}

t.test('a node that uses an item which is no longer its own is named, and all is freed', async t => {
  const cases: Record<string, (item: Item<number>, output: Subscriber<Item>) => void> = {
    'emitted item "0" twice': (item, output) => {
      output.next(item)
      output.next(item)
    },
    'released item "0" twice': item => {
      item.release()
      item.release()
    },
    'released item "0" after it had been emitted': (item, output) => {
      output.next(item)
      item.release()
    },
    'emitted item "0" after it had been released': (item, output) => {
      item.release()
      output.next(item)
    },
    'derived from item "0" after it had been emitted': (item, output) => {
      output.next(item)
      output.next(item.derive(1))
    },
    'derived from item "0" after it had been released': (item, output) => {
      item.release()
      output.next(item.derive(1))
    },
  }
  for (const [expected, handle] of Object.entries(cases)) {
    const { error } = await runThrough(t, handle)
    t.equal(error?.code, 'operator-misused')
    t.equal(error?.node, 'odd')
    t.match(error?.message, `node "odd" (odd): ${expected}`)
  }
})

t.test('a late release of an emitted item is the mistake of the node that emitted it', async t => {
  const emitted: Item[] = []
  const { error } = await runThrough(t, (item, output) => {
    for (const one of emitted.splice(0)) one.release()
    emitted.push(item)
    output.next(item)
  })
  t.equal(error?.node, 'odd')
  t.match(error?.message, 'released item "0" after it had been emitted')
})

t.test('an item that `each` releases must not be released by its work too', async t => {
  const odd = operator({
    summary: 'Releases its input.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, _, context) => ({
      numbers: numbers.pipe(
        context.each((value: number, item) => {
          item.release()
          return value > 0 ? value : undefined
        }),
      ),
    }),
  })
  const on = testBed({ operators: { odd } })
  const { error, leaked } = await runNodes(t, oddNodes, on)
  t.match(error?.message, /^node "odd" \(odd\): released item "0" twice.* leave it alone in `each`$/)
  t.equal(leaked + on.buffers.live, 0)
})

t.test('an item that comes after the end of its stream ends the run: it would vanish', async t => {
  const odd = operator({
    summary: 'Completes one of its streams too early.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number', others: { kind: 'number', optional: true } },
    run: ({ numbers }) => {
      const first = new Observable<Item>(output => {
        // no teardown: RxJS would stop listening at the end
        numbers.subscribe(item => {
          output.next(item)
          output.complete()
        })
      })
      return { numbers: first, others: NEVER }
    },
  })
  const on = testBed({ operators: { odd } })
  const { error, leaked } = await runNodes(t, oddNodes, on)
  t.match(error?.message, 'node "odd" (odd): emitted item "1" on "numbers" after that stream had completed')
  t.equal(leaked + on.buffers.live, 0)
})

t.test('a flood of items that do not wait for room ends the run before they fill the memory', async t => {
  let made = 0
  const { error, peakItems } = await runThrough(t, (item, output) => {
    for (let i = 0; i < 50_000 && !output.closed; i++, made++) output.next(item.derive(i))
    item.release()
  })
  t.equal(error?.code, 'edge-full')
  t.match(error?.message, /^node "odd" \(odd\): put \d+ items on edge odd.numbers → end.items \(capacity 4\)/)
  t.ok(peakItems < 11_000 && made < 11_000, `${peakItems} alive`)
})

t.test('`each` passes on any number of results, one after the other as there is room', async t => {
  const many = operator({
    summary: 'Makes many of one.',
    config: { count: { type: 'integer', description: 'Results of each number.' } },
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    expands: true,
    run: ({ numbers }, { count }, context) => ({
      numbers: numbers.pipe(
        context.each((value: number) => Array.from({ length: count }, (_, i) => value + i)),
      ),
    }),
  })
  const on = testBed({ operators: { many } })
  const nodes = { ...oddNodes, odd: { ...oddNodes.odd, operator: 'many', config: { count: 100_000 } } }
  const { status, leaked } = await runNodes(t, nodes, on)
  t.equal(status, 'completed')
  t.equal(leaked, 0)
  t.equal(on.seen.length, 300_000)
  t.same(on.seen.slice(99_999, 100_001), [99_999, 1], 'in order')
})

t.test(
  'a source that gives two items the same key, or one none, is told so once, and all is freed',
  async t => {
    const cases: readonly (readonly [string, readonly unknown[], string | undefined])[] = [
      ['two have the key "same": yield', ['same', 'same', 'same'], undefined],
      ['two have the key "1" (rows.csv:0 and rows.csv:2): yield', [1, 2, '1'], 'rows.csv'],
      ['must have a key, a text or a number, found undefined: yield', [undefined, undefined], undefined],
      ['must have a key, a text or a number, found object: yield', [{ line: 1 }], undefined],
    ]
    for (const [expected, keys, file] of cases) {
      const on = testBed()
      let isClosed = false
      const odd = operator({
        summary: 'Is odd.',
        config: {},
        inputs: {},
        outputs: { numbers: 'number' },
        run: (_inputs, _config, context) => ({
          numbers: context.source(async function* () {
            try {
              for (const [i, key] of keys.entries()) {
                const place = file === undefined ? {} : { place: `${file}:${i}` }
                // biome-ignore lint/suspicious/noExplicitAny: the very mistake that the types would refuse.
                yield { key: key as any, value: i, dispose: on.buffers.make(), ...place }
              }
            } finally {
              isClosed = true
            }
          }),
        }),
      })
      const nodes = { odd: { operator: 'odd' }, end: { operator: 'collect', from: { items: 'odd.numbers' } } }
      const bed = { ...on, registry: { ...on.registry, operators: { ...on.registry.operators, odd } } }
      const { status, error, leaked } = await runNodes(t, nodes, bed)
      t.match({ status, leaked, error }, { status: 'failed', leaked: 0, error: { code: 'operator-misused' } })
      t.ok(error?.message.startsWith('node "odd" (odd): each item must have a key'), error?.message ?? '')
      t.ok(error?.message.includes(expected), error?.message ?? '')
      t.equal(on.buffers.live, 0, 'all buffers are freed')
      t.ok(isClosed, 'the reader may close what it opened')
    }
  },
)
