import { loadGraph } from '../../graph/check.ts'
import { endName } from '../../graph/flatten/flat.ts'
import { knownBytes, type MemoryPlan, type MemoryRow, planMemory } from '../../graph/memory.ts'
import type { Plan } from '../../graph/plan.ts'
import { hide } from '../../graph/secrets.ts'
import { learnerMemory } from '../../learners/learner-memory.ts'
import { mostSummed } from '../../learners/shared-numbers.ts'
import { homeMemory, workerMemory } from '../../over/part-memory.ts'
import { showBytes } from '../../shared/bytes.ts'
import { withShippedNames } from '../../shared/shipped-names.ts'
import { table } from '../../shared/table.ts'
import { onlyWord } from '../arguments.ts'
import { paramLines } from '../graph-params.ts'
import { learnersFlag, readLearners } from '../learners.ts'
import { overFlags, workersOf } from '../over-run.ts'
import { pluginFlags } from '../plug.ts'
import { bytesOnGpu, type Processes } from '../process-memory.ts'
import { setFlag, type Verb } from '../verb.ts'

export const explain: Verb = {
  summary: 'Shows the params of a graph, the types of its edges, and its memory at most.',
  usage: 'GRAPH',
  loads: 'graphs',
  flags: {
    set: setFlag,
    ...pluginFlags,
    workers: overFlags.workers,
    gpus: overFlags.gpus,
    part: overFlags.part,
    learners: learnersFlag,
  },
  example: 'npx flow explain flow:grpo.json --set group=4',
  run: async (words, { registry, environment, ...world }) => {
    const print = (text: string) => world.print(withShippedNames(text))
    const learners = readLearners(words) ?? 1
    const workers = workersOf(words)
    const given = { set: words.all('set'), parts: words.all('part'), environment, learners }
    const file = onlyWord(words, 'graph file')
    const plan = loadGraph(file, registry, given)
    print(plan.summary)
    for (const line of paramLines(file, plan.params)) print(hide(line, plan.secrets))
    print('edges')
    for (const line of table(edgeRows(plan), '  ')) print(line)
    const memory = planMemory(plan)
    for (const line of memoryLines(memory)) print(hide(line, plan.secrets))
    for (const line of partLines(plan)) print(line)
    if (workers.workers !== undefined) print(gpuLine(plan, memory, { learners, ...workers }))
    if (learners > 1) for (const line of learnerLines(plan, learners)) print(hide(line, plan.secrets))
    return 0
  },
}

function edgeRows(plan: Plan): string[][] {
  return plan.nodes.flatMap(node =>
    node.wires.map(wire => [
      endName(wire.from),
      `→ ${node.name}.${wire.port}`,
      plan.types.output(wire.from),
      wire.keep === 'latest' ? 'latest' : `at most ${wire.capacity.items}`,
    ]),
  )
}

function memoryLines({ rows, bytes, hostBytes, turns, unknown }: MemoryPlan): string[] {
  const on = (device: MemoryRow['device'], title: string, together: number) => {
    const own = rows.filter(row => row.device === device)
    const lines = own.map(({ part, what, bytes, kept }) => [
      part,
      kept ? `${what}, kept` : what,
      showBytes(bytes),
    ])
    const sum = knownBytes(together, { unknown })
    return own.length === 0 ? [] : [title, ...table([...lines, ['together', '', sum]], '  ')]
  }
  return [
    ...on('gpu', 'GPU memory at most', bytes),
    ...turns
      .filter(names => names.length > 1)
      .map(names => `  ${names.join(', ')} take turns with the memory that they free: the largest counts`),
    ...on('host', 'host memory at most, without Node itself', hostBytes),
    ...(unknown.length > 0 ? ['not known'] : []),
    ...[...partsByReason(unknown)].map(([why, parts]) => `  ${parts.join(', ')}  ${why}`),
  ]
}

/** What each process takes when workers run the parts. */
function partLines(plan: Plan): string[] {
  if (plan.parts.length === 0) return []
  const sum = (memory: MemoryPlan) => knownBytes(memory.bytes, memory)
  const rows = plan.parts.map(part => [`a worker of ${part.name}`, sum(workerMemory(plan, part))])
  const home = ['the home part', sum(homeMemory(plan))]
  return ['GPU memory at most, with --workers or --gpus', ...table([home, ...rows], '  ')]
}

/** What all processes take on one GPU. */
function gpuLine(plan: Plan, memory: MemoryPlan, processes: Processes): string {
  if (plan.parts.length === 0) return 'no worker takes any: the graph states no "parts"; --part names one'
  const { gpus = [] } = processes
  const where = new Set(gpus).size > 1 ? 'on the GPU that takes most' : 'on one GPU'
  const sum = knownBytes(bytesOnGpu(plan, processes), memory)
  return `  all processes together, ${where}: ${sum}`
}

/** What the other learners of a run take besides. */
function learnerLines(plan: Plan, learners: number): string[] {
  const shared = 2 * learners * mostSummed * 4
  return [
    learners === 2 ? 'the other learner' : `each of the ${learners - 1} other learners`,
    ...memoryLines(learnerMemory(plan)).map(line => `  ${line}`),
    `memory that learners share (/dev/shm): ${showBytes(shared)} for sums, and each learner's share of a batch until it is read`,
  ]
}

/** Parts that lack the same thing, so that it is said once. */
function partsByReason(unknown: MemoryPlan['unknown']): Map<string, string[]> {
  const parts = new Map<string, string[]>()
  for (const { part, why } of unknown) parts.set(why, [...(parts.get(why) ?? []), part])
  return parts
}
