import { join } from 'node:path'
import { loadGraph } from '../../engine/graph/check.ts'
import type { Registry } from '../../engine/graph/plan.ts'
import { operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import type { RunSummary } from '../../engine/run/summary.ts'

export interface GraphRun extends RunSummary {
  /** Keys and values that reached `collect` nodes, in order. */
  items: readonly { key: string; value: unknown }[]
}

/** Runs a graph in the engine; its nodes may use `collect`, a sink whose input is `items`. */
export async function runGraph(
  graph: string | { nodes: object },
  operators: Registry['operators'],
  options: { directory: string; seed?: number; set?: readonly string[] },
): Promise<GraphRun> {
  const items: { key: string; value: unknown }[] = []
  const collect = operator({
    summary: 'Keeps what arrives.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    run: (inputs, _config, context) => ({
      none: inputs.items.pipe(
        context.each((value: unknown, { key }) => {
          items.push({ key, value })
          return undefined
        }),
      ),
    }),
  })
  const registry = { operators: { ...operators, collect }, resources: {} }
  const virtual = { version: 1, summary: 'A test.', ...(typeof graph === 'string' ? {} : graph) }
  const plan =
    typeof graph === 'string'
      ? loadGraph(graph, registry, { set: options.set ?? [] })
      : loadGraph('test.json', registry, { read: () => JSON.stringify(virtual) })
  const directory = join(options.directory, `run-${++runs}`)
  const summary = await startRun(plan, { seed: options.seed ?? 0, directory }).done
  return { ...summary, items }
}

let runs = 0
