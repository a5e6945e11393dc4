import { loadGraph, type Plan } from '../graph/check.ts'
import { endName } from '../graph/flat.ts'
import { knobsOf, type MemoryPlan, planMemory, readBytes, showBytes } from '../graph/memory.ts'
import { onlyWord, UsageError } from './arguments.ts'
import { pluginFlag } from './plug.ts'
import { table } from './table.ts'
import { setFlag, type Verb } from './verb.ts'

export const explain: Verb = {
  summary: 'Says what travels on the edges of a graph and what memory it takes.',
  usage: 'GRAPH',
  flags: { set: setFlag, plugin: pluginFlag },
  example: 'npx flow explain graphs/grpo.json --set group=4',
  run: async (words, { registry, environment, print }) => {
    const plan = loadGraph(onlyWord(words, 'graph file'), registry, { set: words.all('set'), environment })
    print(plan.summary)
    print('edges')
    for (const line of table(edgeRows(plan))) print(line)
    for (const line of memoryLines(planMemory(plan))) print(line)
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

function memoryLines(memory: MemoryPlan): string[] {
  const rows = memory.rows.map(({ part, what, bytes }) => [part, what, showBytes(bytes)])
  return [
    'GPU memory at most',
    ...table([...rows, ['together', '', showBytes(memory.bytes)]]),
    ...(memory.unknown.length > 0 ? ['not known'] : []),
    ...table(memory.unknown.map(({ part, why }) => [part, why])),
  ]
}

/** Refuses a plan that may need more than `--memory` allows, with what to lower. */
export function refuseOverMemory(plan: Plan, limitText: string | undefined): void {
  if (limitText === undefined) return
  const limit = readBytes(limitText)
  if (limit === undefined)
    throw new UsageError(`--memory: must be bytes such as 8GB or 512MiB, found "${limitText}"`)
  const memory = planMemory(plan)
  if (memory.bytes <= limit) return
  const knobs = knobsOf(memory).slice(0, 3)
  throw new UsageError(
    [
      `--memory: the run may need ${showBytes(memory.bytes)}, more than ${showBytes(limit)}`,
      ...knobs.map(
        ({ part, what, bytes, knob }) => `  lower ${knob}: ${part} takes ${showBytes(bytes)} (${what})`,
      ),
      '  "flow explain" shows every part',
    ].join('\n'),
  )
}
