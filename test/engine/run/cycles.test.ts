// Random graphs with a cycle: a gated node, nodes within the cycle that may drop items, collect them, make several of one or
// wait for all, ways within the cycle that part and meet again, and nodes next to the cycle that may collect too. A graph that
// the check accepts must never stall, whatever is dropped.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../../../engine/graph/check.ts'
import type { Registry } from '../../../engine/graph/plan.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import batch from '../../../operators/stream/batch.ts'
import replay from '../../../operators/stream/replay.ts'
import { graphText, testBed } from '../support.ts'
import { type Random, randomOf } from './random-graph.ts'

const cases = Number(process.env.FLOW_CASES ?? 300)
/** Of fewer graphs chance decides how many are refused, and how many of those stall. */
const enoughForShares = 100
const firstSeed = Number(process.env.FLOW_SEED ?? 0) * 1_000_000
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-cycles-'))
t.teardown(() => rmSync(folder, { recursive: true }))
t.setTimeout(800_000)

const sift = operator({
  summary: 'Passes on one item of several.',
  config: { every: { type: 'integer', minimum: 1, description: 'One of this number.' } },
  inputs: { items: 'any' },
  outputs: { items: 'any' },
  run: ({ items }, { every }, context) => {
    let count = 0
    return { items: items.pipe(context.each(value => (count++ % every === 0 ? value : undefined))) }
  },
})

const gate = operator({
  summary: 'Passes on items while the cycle answers.',
  config: {},
  inputs: { items: 'any', back: 'any' },
  outputs: { items: 'any' },
  run: ({ items }, _, context) => ({ items: items.pipe(context.each(value => value)) }),
})

const copies = operator({
  summary: 'Makes several items of one.',
  config: { count: { type: 'integer', minimum: 1, description: 'How many.' } },
  inputs: { items: 'any' },
  outputs: { items: 'any' },
  drops: false,
  expands: true,
  run: ({ items }, { count }, context) => ({
    items: items.pipe(
      context.each((value, { key }) =>
        Array.from({ length: count }, (_, i) => context.emit(value, { key: `${key}/${i}` })),
      ),
    ),
  }),
})

const pass = operator({
  summary: 'Passes on each item.',
  config: {},
  inputs: { items: 'any' },
  outputs: { items: 'any' },
  drops: false,
  run: ({ items }, _, context) => ({ items: items.pipe(context.each(value => context.emit(value))) }),
})

const operators = { sift, gate, batch, copies, pass, replay }
const names = { sift: 'items', batch: 'lists', copies: 'items', pass: 'items', replay: 'items' } as const

/** A node with an operator drawn at random. */
function drawn(random: Random): { operator: keyof typeof names; config: object } {
  const kind = random()
  const size = 1 + Math.floor(random() * 4)
  if (kind < 0.35) return { operator: 'sift', config: { every: size } }
  if (kind < 0.75) return { operator: 'batch', config: { size } }
  if (kind < 0.98) return { operator: 'copies', config: { count: size } }
  return { operator: 'replay', config: { epochs: 1 } }
}

/** A chain of such nodes after a node; returns the last output. */
function chain(nodes: Record<string, unknown>, name: string, from: string, random: Random): string {
  let last = from
  for (let i = 0, count = Math.floor(random() * 3); i < count; i++) {
    const node = drawn(random)
    nodes[`${name}${i}`] = { ...node, from: { items: last } }
    last = `${name}${i}.${names[node.operator]}`
  }
  return last
}

function nodesOf(random: Random): Record<string, unknown> {
  const nodes: Record<string, unknown> = {}
  nodes.count = { operator: 'range', config: { count: 40 } }
  const head = chain(nodes, 'before', 'count.numbers', random)
  const inside: Record<string, unknown> = {}
  let answer = chain(inside, 'inside', 'gate.items', random)
  if (random() < 0.4) {
    const [one, other] = ['left', 'right'].map(name => chain(inside, name, answer, random))
    // what arrives twice on one edge would be an error of the graph
    inside.met = { operator: 'pass', from: { items: one === other ? one : [one, other] } }
    answer = chain(inside, 'after', 'met.items', random)
  }
  const back = { edge: answer, keep: 'latest', initial: 0, maxLag: Math.floor(random() * 3) }
  nodes.gate = { operator: 'gate', from: { items: head, back } }
  Object.assign(nodes, inside)
  const sides = ['gate.items', ...Object.keys(inside).map(name => `${name}.${portOf(inside, name)}`)]
  for (const [i, side] of sides.entries()) {
    if (random() < 0.4) continue
    const end = chain(nodes, `side${i}x`, side, random)
    nodes[`end${i}`] = { operator: 'collect', from: { items: end } }
  }
  return nodes
}

// the generator wrote the nodes
const portOf = (nodes: Record<string, unknown>, name: string): string =>
  names[(nodes[name] as { operator: keyof typeof names }).operator]

/** The same operators without what the check knows them by: it accepts every graph. */
const unknown: Registry['operators'] = Object.fromEntries(
  Object.entries(operators).map(([name, { collects, waitsForEnd: _, ...rest }]) => [
    name,
    { ...rest, ...(collects && { credits: collects }) },
  ]),
)

t.test(`of ${cases} random graphs with a cycle none stalls that the check accepts`, async t => {
  const ends = { accepted: 0, refused: 0, stalled: 0 }
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    const text = graphText(nodesOf(randomOf(seed)))
    const run = async (known: Registry['operators']) => {
      const on = testBed({ operators: known })
      const { plan } = checkGraph('g.json', on.registry, { read: () => text })
      if (!plan) return { status: 'refused', live: 0, why: undefined }
      const options = { seed, directory: join(folder, `${seed}`), stallSeconds: 1 }
      const { status, error, leaked } = await startRun(plan, options).done
      rmSync(options.directory, { recursive: true })
      return { status: error?.code ?? status, live: leaked + on.buffers.live, why: error?.message }
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
