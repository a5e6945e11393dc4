// A node that changes weights in place, and others that read them: nobody may see half of a change, and which version an
// item is worked on with depends on its place alone, however long each node takes.
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { collect } from '../../../operators/stream/collect.ts'
import { runNodes, testBed, turn } from '../support.ts'
import { type Random, randomOf } from './random-graph.ts'

interface Weights {
  version: number
  /** Both halves are equal unless a change is under way. */
  halves: [number, number]
}

interface Seen {
  writes: [item: number, version: number][]
  audits: [told: number, read: number][]
  torn: number
}

function bed(random: Random) {
  const weights: Weights = { version: 0, halves: [0, 0] }
  const seen: Seen = { writes: [], audits: [], torn: 0 }
  const wait = async () => {
    for (let turns = Math.floor(random() * 6); turns > 0; turns--) await turn()
  }
  const read = () => {
    if (weights.halves[0] !== weights.halves[1]) seen.torn++
    return weights.version
  }
  const readTwice = async () => {
    const before = read()
    await wait()
    if (read() !== before) seen.torn++
    return before
  }
  const slow = operator({
    summary: 'Passes on, after a while.',
    config: {},
    inputs: { items: 'any' },
    outputs: { items: 'any' },
    drops: false,
    run: ({ items }, _, context) => ({
      items: items.pipe(
        context.each(async value => {
          await wait()
          return value
        }),
      ),
    }),
  })
  const write = operator({
    summary: 'Reads the weights for each item.',
    config: {},
    inputs: { items: 'any', weights: 'version' },
    outputs: { items: 'any' },
    drops: false,
    run: ({ items }, _, context) => ({
      items: items.pipe(
        context.each(async (item: number) => {
          seen.writes.push([item, await readTwice()])
          return item
        }),
      ),
    }),
  })
  const sift = operator({
    summary: 'Drops items.',
    config: { drop: { type: 'integer', description: 'Every n-th.' } },
    inputs: { items: 'any' },
    outputs: { items: 'any' },
    drops: true,
    run: ({ items }, { drop }, context) => ({
      items: items.pipe(
        context.each(async (item: number) => {
          await wait()
          return item % drop === drop - 1 ? undefined : item
        }),
      ),
    }),
  })
  const update = operator({
    summary: 'Changes the weights.',
    config: { size: { type: 'integer', default: 1, description: 'Items of one change.' } },
    inputs: { items: 'any' },
    outputs: { version: { kind: 'version', inPlace: true } },
    drops: true,
    credits: ({ size }) => size,
    collects: ({ size }) => size,
    run: ({ items }, { size }, context) => {
      const change = async () => {
        weights.halves[0]++
        await wait()
        weights.halves[1]++
        return ++weights.version
      }
      return { version: items.pipe(collect(size), context.each(change, { keep: false })) }
    },
  })
  const audit = operator({
    summary: 'Reads the weights of each version.',
    config: {},
    inputs: { versions: 'version' },
    outputs: {},
    effects: true,
    run: ({ versions }, _, context) => ({
      done: versions.pipe(
        context.each(async (told: number) => {
          await wait()
          seen.audits.push([told, await readTwice()])
          return undefined
        }),
      ),
    }),
  })
  return { on: testBed({ operators: { slow, write, update, audit, sift } }), seen }
}

const count = 12

function nodesOf(maxLag: number, { size = 1, drop = 0 } = {}) {
  return {
    count: { operator: 'range', config: { count } },
    before: { operator: 'slow', from: { items: 'count.numbers' } },
    write: {
      operator: 'write',
      from: {
        items: 'before.items',
        weights: { edge: 'update.version', keep: 'latest', initial: 0, maxLag },
      },
    },
    between:
      drop > 0
        ? { operator: 'sift', config: { drop }, from: { items: 'write.items' } }
        : { operator: 'slow', from: { items: 'write.items' } },
    update: { operator: 'update', config: { size }, from: { items: 'between.items' } },
    versions: { operator: 'slow', from: { items: 'update.version' } },
    audit: { operator: 'audit', from: { versions: 'versions.items' } },
  }
}

for (const lag of [0, 1, 4])
  t.test(`with maxLag ${lag} each item is written with the version ${lag} before its own, whole`, async t => {
    for (let seed = 0; seed < 12; seed++) {
      const { on, seen } = bed(randomOf(seed))
      const run = await runNodes(t, nodesOf(lag), on, { directory: t.testdir({}) })
      t.same([run.status, run.error?.message], ['completed', undefined])
      t.equal(seen.torn, 0)
      t.same(
        seen.writes,
        Array.from({ length: count }, (_, i) => [i, Math.max(0, i - lag)]),
      )
      t.same(
        seen.audits,
        Array.from({ length: count }, (_, i) => [i + 1, i + 1]),
      )
    }
  })

t.test('with several items for a change the versions follow from the order of the items too', async t => {
  for (const [size, lag] of [
    [2, 1],
    [2, 3],
    [4, 3],
    [3, 5],
  ] as const)
    for (let seed = 0; seed < 6; seed++) {
      const { on, seen } = bed(randomOf(seed))
      const run = await runNodes(t, nodesOf(lag, { size }), on, { directory: t.testdir({}) })
      t.same([run.status, run.error?.message], ['completed', undefined])
      t.equal(seen.torn, 0)
      t.same(
        seen.writes.map(([, version]) => version),
        Array.from({ length: count }, (_, i) => Math.max(0, Math.ceil((i - lag) / size))),
        `${size} items for a change, maxLag ${lag}, seed ${seed}`,
      )
    }
})

t.test('items that are dropped on the way leave it so', async t => {
  for (const lag of [1, 2, 4]) {
    const all: string[] = []
    for (let seed = 0; seed < 8; seed++) {
      const { on, seen } = bed(randomOf(seed))
      const run = await runNodes(t, nodesOf(lag, { drop: 3 }), on, { directory: t.testdir({}) })
      t.same([run.status, run.error?.message], ['completed', undefined])
      t.equal(seen.torn, 0)
      all.push(JSON.stringify(seen.writes))
    }
    t.equal(new Set(all).size, 1, `maxLag ${lag}: ${[...new Set(all)].join(' | ')}`)
  }
})
