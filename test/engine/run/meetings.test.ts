// Random graphs whose ways part and meet again in pairs: filters, lists, several items of one, skipped failures, slow nodes and
// a cycle on either way. A graph that the check accepts must never stall; of those that it refuses most do.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../../../engine/graph/check.ts'
import type { Registry } from '../../../engine/graph/plan.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import batch from '../../../operators/stream/batch.ts'
import pairs from '../../../operators/stream/join.ts'
import { graphText, testBed, turn } from '../support.ts'
import { type Random, randomOf } from './random-graph.ts'

const cases = Number(process.env.FLOW_CASES ?? 150)
/** Of fewer graphs chance decides how many are refused, and how many of those stall. */
const enoughForShares = 100
const firstSeed = Number(process.env.FLOW_SEED ?? 0) * 1_000_000
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-meetings-'))
t.teardown(() => rmSync(folder, { recursive: true }))
t.setTimeout(800_000)

const ports = { inputs: { items: 'any' }, outputs: { items: { kind: 'any', like: 'items' } } } as const
const size = { size: { type: 'integer', minimum: 1, description: 'How many.' } } as const

const sift = operator({
  summary: 'Passes on one item of several, and does not say that it drops others.',
  config: size,
  ...ports,
  run: ({ items }, { size }, context) => {
    let count = 0
    return {
      items: items.pipe(context.each(value => (count++ % size === 0 ? context.emit(value) : undefined))),
    }
  },
})
const slow = operator({
  summary: 'Takes some turns.',
  config: size,
  ...ports,
  drops: false,
  run: ({ items }, { size }, context) => {
    const wait = async (value: unknown) => {
      for (let i = 0; i < size; i++) await turn()
      return context.emit(value) // a list is one item
    }
    return { items: items.pipe(context.each(wait)) }
  },
})
const fails = operator({
  summary: 'Fails now and then.',
  config: size,
  ...ports,
  drops: false,
  run: ({ items }, { size }, context) => {
    let count = 0
    const work = (value: unknown) => {
      if (count++ % (size + 1) === 0) throw new Error('boom')
      return context.emit(value) // a list is one item
    }
    return { items: items.pipe(context.each(work)) }
  },
})
const copies = operator({
  summary: 'Makes several items of one.',
  config: size,
  ...ports,
  drops: false,
  expands: true,
  run: ({ items }, { size }, context) => ({
    items: items.pipe(
      context.each((value, { key }) =>
        Array.from({ length: size }, (_, i) => context.emit(value, { key: `${key}/${i}` })),
      ),
    ),
  }),
})
const gate = operator({
  summary: 'Passes on items while the cycle answers.',
  config: {},
  inputs: { items: 'any', back: 'any' },
  outputs: { items: 'any' },
  drops: false,
  run: ({ items }, _, context) => ({ items: items.pipe(context.each(value => context.emit(value))) }),
})
const operators = { sift, slow, fails, copies, gate, batch, join: pairs }

type Kind = 'sift' | 'slow' | 'fails' | 'copies' | 'batch'
const outputOf = (kind: Kind): string => (kind === 'batch' ? 'lists' : 'items')

/** A graph in the making. */
class Drawing {
  readonly nodes: Record<string, unknown> = {}
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  whole(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1))
  }

  chance(share: number): boolean {
    return this.#random() < share
  }

  add(operator: string, rest: object): string {
    const name = `${operator}${Object.keys(this.nodes).length}`
    this.nodes[name] = { operator, ...rest }
    return name
  }

  source(): string {
    return `${this.add('range', { config: { count: 60 } })}.numbers`
  }

  /** Up to three nodes after an output; returns the last output. */
  way(from: string): string {
    let last = from
    for (let i = this.whole(0, 3); i > 0; i--) {
      const kinds: Kind[] = ['sift', 'slow', 'slow', 'fails', this.chance(0.4) ? 'copies' : 'slow']
      const kind = this.chance(0.12) ? 'batch' : (kinds[this.whole(0, kinds.length - 1)] ?? 'slow')
      const edge = this.chance(0.06) ? { edge: last, whenFull: 'drop-oldest', capacity: { items: 2 } } : last
      const policy = kind === 'fails' ? { onError: 'skip' } : {}
      const name = this.add(kind, { config: { size: this.whole(1, 4) }, from: { items: edge }, ...policy })
      last = `${name}.${outputOf(kind)}`
    }
    return last
  }

  meet(left: string, right: string): string {
    const config = { unmatched: 'drop', waiting: this.whole(1, 8) }
    return `${this.add('join', { config, from: { left, right } })}.pairs`
  }

  end(from: string): void {
    this.add('collect', { from: { items: from } })
  }
}

function nodesOf(random: Random): Record<string, unknown> {
  const on = new Drawing(random)
  let head = on.way(on.source())
  let gated: string | undefined
  if (on.chance(0.3)) {
    gated = on.add('gate', {})
    const items = head
    head = `${gated}.items`
    const answer = on.way(head)
    const back = { edge: answer, keep: 'latest', initial: 0, maxLag: on.whole(0, 2) }
    on.nodes[gated] = { operator: 'gate', from: { items, back } }
  }
  const other = on.chance(0.2) ? on.source() : head
  let met = on.meet(on.way(head), on.way(other))
  if (on.chance(0.4)) met = on.meet(on.way(met), on.way(head))
  on.end(on.way(met))
  if (on.chance(0.3)) on.end(on.way(head))
  return on.nodes
}

/** The same operators without what the check knows them by: it accepts every graph. */
const unknown: Registry['operators'] = Object.fromEntries(
  Object.entries(operators).map(([name, { pairs: _, collects, ...rest }]) => [
    name,
    { ...rest, ...(collects && { credits: collects }) },
  ]),
)

t.test(`of ${cases} random graphs whose ways meet none stalls that the check accepts`, async t => {
  const ends = { accepted: 0, refused: 0, stalled: 0 }
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    const text = graphText(nodesOf(randomOf(seed)))
    const run = async (known: Registry['operators']) => {
      const on = testBed({ operators: known })
      const { plan, problems } = checkGraph('g.json', on.registry, { read: () => text })
      if (!plan) return { status: 'refused', live: 0, why: problems[0]?.rule }
      const options = { seed, directory: join(folder, `${seed}`), stallSeconds: 1 }
      const { status, error } = await startRun(plan, options).done
      rmSync(options.directory, { recursive: true })
      return { status: error?.code ?? status, live: on.buffers.live, why: error?.message }
    }
    const { status, live, why } = await run(operators)
    if (status === 'refused') {
      ends.refused++
      if ((await run(unknown)).status === 'stalled') ends.stalled++
    } else {
      ends.accepted++
      if (status !== 'completed' || live > 0)
        t.fail(`seed ${seed}: ${status}, ${live} alive, ${why}: ${text}`)
    }
  }
  t.comment(`${ends.accepted} accepted; of ${ends.refused} refused ${ends.stalled} stalled`)
  if (cases < enoughForShares) return
  t.ok(ends.accepted > cases / 4, `${ends.accepted} accepted`)
  t.ok(ends.stalled > ends.refused / 4, `of ${ends.refused} refused ${ends.stalled} stalled`)
})

t.test(
  'an item in a list that is not full is no partner where no way leads from the list to the meeting',
  async t => {
    const on = testBed({ operators })
    const text = graphText({
      range: { operator: 'range', config: { count: 60 } },
      sift: { operator: 'sift', config: { size: 2 }, from: { items: 'range.numbers' } },
      met: {
        operator: 'join',
        config: { unmatched: 'drop', waiting: 1 },
        from: { left: 'sift.items', right: 'range.numbers' },
      },
      lists: { operator: 'batch', config: { size: 8 }, from: { items: 'range.numbers' } },
      end: { operator: 'collect', from: { items: 'met.pairs' } },
      beside: { operator: 'collect', from: { items: 'lists.lists' } },
    })
    const { plan } = checkGraph('g.json', on.registry, { read: () => text })
    if (!plan) return t.fail('the check must accept the graph')
    const directory = join(folder, 'beside')
    const { status, error } = await startRun(plan, { seed: 1, directory, stallSeconds: 1 }).done
    t.equal(status, 'completed', error?.message ?? '')
    t.equal(on.buffers.live, 0)
  },
)
