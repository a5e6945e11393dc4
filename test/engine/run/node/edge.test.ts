import t from 'tap'
import type { Wire } from '../../../../engine/graph/flatten/flat.ts'
import { Lease } from '../../../../engine/run/items/lease.ts'
import { Ledger } from '../../../../engine/run/items/ledger.ts'
import { Origin } from '../../../../engine/run/items/trace.ts'
import { Edge } from '../../../../engine/run/node/edge.ts'

const ledger = () =>
  new Ledger(1, error => {
    throw error
  })

function edge(wire: Partial<Wire> = {}): Edge {
  const at = { path: [] } as never
  const from = { node: 'a', port: 'x' }
  return new Edge('a.x → b.y', {
    port: 'y',
    from,
    capacity: { items: 2, bytes: 100 },
    whenFull: 'block',
    keep: 'all',
    at,
    ...wire,
  })
}

const item = (book: Ledger, value: number, bytes = 0) =>
  Lease.root(book, value, 'a', { key: String(value), bytes }, [])

const drain = (from: Edge): unknown[] => {
  const values: unknown[] = []
  for (let lease = from.take(); lease; lease = from.take()) {
    values.push(lease.value)
    lease.release()
  }
  return values
}

t.test('an edge has room until its items or its bytes are used up', async t => {
  const book = ledger()
  const byItems = edge()
  t.ok(byItems.hasRoom())
  byItems.put(item(book, 1))
  t.ok(byItems.hasRoom())
  byItems.put(item(book, 2))
  t.notOk(byItems.hasRoom())
  t.same(drain(byItems), [1, 2])
  const byBytes = edge({ capacity: { items: 9, bytes: 100 } })
  byBytes.put(item(book, 1, 60))
  t.ok(byBytes.hasRoom(40))
  t.notOk(byBytes.hasRoom(41))
  drain(byBytes)
  t.equal(byBytes.bytes, 0)
  t.equal(book.live, 0)
})

t.test('an empty edge takes an item of any size', async t => {
  const book = ledger()
  const small = edge()
  t.ok(small.hasRoom(5000))
  small.put(item(book, 1, 5000))
  t.notOk(small.hasRoom())
  t.same(drain(small), [1])
})

t.test('it stays in order over many items', async t => {
  const book = ledger()
  const long = edge({ capacity: { items: 1000, bytes: 1 } })
  const seen: unknown[] = []
  for (let i = 0; i < 500; i++) {
    long.put(item(book, i))
    if (i % 3 === 2) {
      const lease = long.take()
      seen.push(lease?.value)
      lease?.release()
    }
  }
  seen.push(...drain(long))
  t.same(
    seen,
    Array.from({ length: 500 }, (_, i) => i),
  )
  t.equal(book.live, 0)
})

t.test('a full edge drops the oldest when told so, by bytes as well', async t => {
  const book = ledger()
  const dropping = edge({ whenFull: 'drop-oldest', capacity: { items: 5, bytes: 100 } })
  for (const [value, bytes] of [
    [1, 40],
    [2, 40],
    [3, 90],
  ] as const)
    dropping.put(item(book, value, bytes))
  t.same(drain(dropping), [3])
  t.equal(dropping.dropped, 2)
  t.equal(book.live, 0)
})

t.test('an edge that must not be full returns the error and frees the item', async t => {
  const book = ledger()
  const strict = edge({ whenFull: 'error' })
  t.equal(strict.put(item(book, 1)), undefined)
  strict.put(item(book, 2))
  t.equal(strict.put(item(book, 3))?.code, 'edge-full')
  t.same(drain(strict), [1, 2])
  t.equal(book.live, 0)
})

t.test('keep latest holds one item', async t => {
  const book = ledger()
  const latest = edge({ keep: 'latest' })
  for (const value of [1, 2, 3]) latest.put(item(book, value))
  t.equal(book.live, 1)
  t.same(drain(latest), [3])
})

t.test('close delivers what waits; cancel frees it, and what comes later', async t => {
  const book = ledger()
  const closed = edge()
  closed.put(item(book, 1))
  closed.close()
  t.notOk(closed.done)
  t.same(drain(closed), [1])
  t.ok(closed.done)
  const cancelled = edge()
  cancelled.put(item(book, 1))
  cancelled.cancel()
  t.ok(cancelled.done)
  t.equal(book.live, 0)
  cancelled.put(item(book, 2))
  t.equal(book.live, 0)
})

t.test('a value lives as long as a lease of it, or of what keeps it', async t => {
  const book = ledger()
  const freed: string[] = []
  const parent = Lease.root(
    book,
    'parent',
    'a',
    { key: '1', bytes: 10, dispose: () => freed.push('parent') },
    [],
  )
  const child = parent.derive('child', { dispose: () => freed.push('child') })
  const loose = parent.derive('loose', { keep: false, dispose: () => freed.push('loose') })
  t.equal(child.key, '1')
  t.equal(child.seed, parent.seed)
  parent.release()
  t.same(freed, [])
  loose.release()
  t.same(freed, ['loose'])
  const second = child.fork()
  child.release()
  t.same(freed, ['loose'])
  second.release()
  t.same(freed, ['loose', 'child', 'parent'])
  t.equal(book.bytes, 0)
  t.equal(book.peakBytes, 10)
})

t.test('a second release, or a use after it, is an error', async t => {
  const one = item(ledger(), 1)
  one.release()
  t.throws(() => one.release(), {
    code: 'operator-misused',
    message: /^released item "1" twice/,
  })
  t.throws(() => one.derive(2), { message: /^derived from item "1" after it had been released/ })
})

t.test('a number is a key by its digits', async t => {
  const numbered = Lease.root(ledger(), 'value', 'a', { key: 7 }, [])
  t.equal(numbered.key, '7')
  t.equal(numbered.derive(1).key, '7')
  t.equal(numbered.seed, item(ledger(), 7).seed)
})

t.test('a new key gives a new seed', async t => {
  const one = item(ledger(), 1)
  t.not(one.derive(2, { key: '1/2' }).seed, one.seed)
})

t.test(
  'an origin settles when the last of its descendants is released, a batch settles all of its origins',
  async t => {
    const book = ledger()
    const settled: string[] = []
    const leases = ['a', 'b'].map(key =>
      Lease.root(book, key, 'n', { key }, [new Origin(key, 0, origin => settled.push(String(origin.key)))]),
    )
    const batch = leases[0].derive('batch', { parents: leases })
    for (const lease of leases) lease.release()
    t.same(settled, [])
    const last = batch.derive('last', { keep: false })
    batch.release()
    t.same(settled, [])
    last.release()
    t.same(settled, ['a', 'b'])
    t.equal(book.live, 0)
  },
)
