// Random graphs with a cycle: a gated node, nodes within the cycle that may drop items or collect them, and nodes next to
// the cycle that may collect too. A graph that the check accepts must never stall, whatever is dropped.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import batch from '../../../operators/stream/batch.ts'
import { graphText, testBed } from '../support.ts'
import { type Random, randomOf } from './random-graph.ts'

const cases = Number(process.env.FLOW_CASES ?? 300)
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

const names = { sift: 'items', batch: 'lists' } as const

/** A chain of filters and batches after a node; returns the last output. */
function chain(nodes: Record<string, unknown>, name: string, from: string, random: Random): string {
  let last = from
  for (let i = 0, count = Math.floor(random() * 3); i < count; i++) {
    const operator = random() < 0.5 ? 'sift' : 'batch'
    const size = 1 + Math.floor(random() * 4)
    const config = operator === 'sift' ? { every: size } : { size }
    nodes[`${name}${i}`] = { operator, config, from: { items: last } }
    last = `${name}${i}.${names[operator]}`
  }
  return last
}

function nodesOf(random: Random): Record<string, unknown> {
  const nodes: Record<string, unknown> = {}
  nodes.count = { operator: 'range', config: { count: 40 } }
  const head = chain(nodes, 'before', 'count.numbers', random)
  const inside: Record<string, unknown> = {}
  const answer = chain(inside, 'inside', 'gate.items', random)
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

t.test(`of ${cases} random graphs with a cycle none stalls that the check accepts`, async t => {
  let refused = 0
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    const on = testBed({ operators: { sift, gate, batch } })
    const text = graphText(nodesOf(randomOf(seed)))
    const { plan } = checkGraph('g.json', on.registry, { read: () => text })
    if (!plan) {
      refused++
      continue
    }
    const { status, error, leaked } = await startRun(plan, {
      seed,
      directory: join(folder, `${seed}`),
      stallSeconds: 1,
    }).done
    if (status !== 'completed' || leaked > 0 || on.buffers.live > 0)
      t.fail(`seed ${seed}: ${status}, ${leaked} leaked, ${error?.message}: ${text}`)
  }
  t.ok(refused > 10 && refused < cases / 2, `${refused} refused`)
})
