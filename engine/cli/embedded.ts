import { ensureBuiltin, madeBuiltins } from '../../operators/builtin.ts'
import { loadGraph } from '../graph/check.ts'
import type { Plan, Registry } from '../graph/plan.ts'
import { startRun } from '../run/run.ts'

/** Makes the embedded data and model that a plan names, if they do not exist yet. */
export async function makeEmbedded(
  plan: Plan,
  registry: Registry,
  say: (line: string) => void,
): Promise<void> {
  const configs = JSON.stringify([...plan.nodes, ...plan.resources].map(({ config }) => config))
  for (const { name, path } of madeBuiltins) {
    if (!configs.includes(`"${path}`)) continue
    await ensureBuiltin(name, async ({ graph, params, runDirectory }) => {
      say(`making ${path} with ${graph}`)
      const recipe = loadGraph(graph, registry, { set: [`out=${params.out}`] })
      const { status, error } = await startRun(recipe, { seed: 0, directory: runDirectory }).done
      if (status !== 'completed') throw error ?? new Error(`making ${path}: ${status}`)
    })
  }
}
