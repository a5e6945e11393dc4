import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { startRun } from '../../../engine/run/run.ts'
import { Buffers, graphText } from '../support.ts'
import {
  expectedAt,
  type Fault,
  liveBound,
  nodesOf,
  type RandomGraph,
  randomGraph,
  randomOf,
  type Token,
} from './random-graph.ts'
import { type Case, operatorsOf } from './random-operators.ts'

const cases = 2000
// runs force their manifest to the disk, and that is most of what a small run takes: a folder in memory has none
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-random-'))
t.teardown(() => rmSync(folder, { recursive: true }))
t.setTimeout(800_000)
let current: Case
const registry = operatorsOf(() => current)

t.test(
  `${cases} random graphs lose nothing, double nothing, keep order, stay bounded and free everything`,
  async t => {
    const ends: Record<string, number> = {}
    for (let seed = 0; seed < cases; seed++) {
      const { status, faults } = await runCase(seed)
      ends[status] = (ends[status] ?? 0) + 1
      if (faults.length > 0) t.fail(`seed ${seed}: ${faults.join('; ')}`)
    }
    // each way to end was taken
    for (const status of ['completed', 'stopped', 'failed', 'aborted'])
      t.ok(ends[status] > 10, `${status}: ${ends[status]}`)
  },
)

for (const fault of ['leak', 'loss', 'double', 'swap'] as const) {
  t.test(`a ${fault} that an operator smuggles in is noticed`, async t => {
    let noticed = 0
    let tried = 0
    for (let seed = 0; tried < 20; seed++) {
      if (!randomGraph(randomOf(seed), fault).steps.some(step => step.kind !== 'batch')) continue
      tried++
      if ((await runCase(seed, fault)).faults.length > 0) noticed++
    }
    t.equal(noticed, tried)
  })
}

/** Runs the graph of a seed; what is wrong with the run is named. */
async function runCase(seed: number, fault: Fault = 'none'): Promise<{ status: string; faults: string[] }> {
  const random = randomOf(seed)
  const graph = randomGraph(random, fault)
  const buffers = new Buffers()
  const seen = new Map<string, Token[]>(graph.sinks.map(name => [name, []]))
  let arrived = 0
  const note = (sink: string, tokens: readonly Token[]) => {
    seen.get(sink)?.push(...tokens)
    const { by, after } = graph.interrupt
    if (arrived++ !== after) return
    if (by === 'stop') run.stop()
    if (by === 'abort') run.abort()
  }
  current = { random, seen: note, buffer: () => buffers.make() }
  const plan = loadGraph('g.json', registry, { read: () => graphText(nodesOf(graph)) })
  const run = startRun(plan, { seed, directory: join(folder, `${fault}-${seed}`), stallSeconds: 5 })
  const summary = await run.done
  rmSync(summary.directory, { recursive: true })
  const faults: string[] = []
  const stops = graph.steps.some(step => step.failing === 'stop')
  if (summary.status === 'failed' && !(stops && summary.error?.cause))
    faults.push(String(summary.error?.message))
  if (summary.leaked > 0) faults.push(`${summary.leaked} leaked`)
  if (buffers.live !== 0) faults.push(`${buffers.live} of ${buffers.made} buffers alive`)
  if (summary.peakItems > liveBound(graph))
    faults.push(`${summary.peakItems} alive, bound ${liveBound(graph)}`)
  const whole = summary.dropped === 0 && (summary.status === 'completed' || summary.status === 'stopped')
  for (const [sink, expected] of expectedAt(graph)) {
    faults.push(
      ...differences(seen.get(sink) ?? [], expected, whole && summary.status, lastSeen(graph, seen)),
    )
  }
  return { status: summary.status, faults: faults.slice(0, 3) }
}

const nameOf = ({ source, route, order }: Token): string => `${source} ${route} ${order.join('.')}`

/** Of each source, the last index that reached any sink: a stopped run has worked off all up to there. */
function lastSeen(graph: RandomGraph, seen: ReadonlyMap<string, readonly Token[]>): Map<string, number> {
  const last = new Map(graph.sources.map(({ name }) => [name, -1]))
  for (const { source, index } of [...seen.values()].flat())
    last.set(source, Math.max(index, last.get(source) ?? -1))
  return last
}

/** What is missing where all must have come, what came twice or from nowhere, and what overtook. */
function differences(
  seen: readonly Token[],
  expected: readonly Token[],
  whole: false | string,
  last: ReadonlyMap<string, number>,
): string[] {
  const faults: string[] = []
  const open = new Set(expected.map(nameOf))
  const before = new Map<string, readonly number[]>()
  for (const token of seen) {
    if (!open.delete(nameOf(token))) faults.push(`${nameOf(token)} came twice or is not expected`)
    const ahead = before.get(token.route)
    if (ahead && !token.route.includes('?') && !isLess(ahead, token.order))
      faults.push(`${nameOf(token)} was overtaken`)
    before.set(token.route, token.order)
  }
  if (whole === false) return faults
  const missing = expected.filter(
    token =>
      open.has(nameOf(token)) && (whole === 'completed' || token.index <= (last.get(token.source) ?? -1)),
  )
  return [...faults, ...missing.map(token => `${nameOf(token)} is lost`)]
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i])
  return at >= 0 && a[at] < b[at]
}
