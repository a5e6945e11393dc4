import { ensureBuiltin, madeBuiltins } from '../../operators/builtin.ts'
import { loadGraph } from '../graph/check.ts'
import type { Plan, Registry } from '../graph/plan.ts'
import { startRun } from '../run/run.ts'

/** Makes the embedded data and model when a graph that is about to run names them and they are not there yet. */
export async function makeEmbedded(
  plan: Plan,
  registry: Registry,
  say: (line: string) => void,
): Promise<void> {
  const leaves = JSON.stringify([...plan.nodes, ...plan.resources].map(({ config }) => config))
  for (const { name, path } of madeBuiltins) {
    if (!leaves.includes(`"${path}`)) continue
    await ensureBuiltin(name, async ({ graph, params, runDirectory }) => {
      say(`making ${path} with ${graph}`)
      const recipe = loadGraph(graph, registry, { set: [`out=${params.out}`] })
      const { status, error } = await startRun(recipe, { seed: 0, directory: runDirectory }).done
      if (status !== 'completed') throw error ?? new Error(`making ${path}: ${status}`)
    })
  }
}
