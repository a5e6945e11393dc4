import { isObject } from '../shared/json.ts'
import { readSource } from './file/extends.ts'
import { at } from './file/graph-file.ts'
import { type Settings, withSettings } from './file/settings.ts'
import type { Plan } from './plan.ts'

/** One graph file that says what the plan's file, the files that it extends and the settings say together. */
export function resolvedGraph(plan: Plan, settings: Settings): Record<string, unknown> {
  const source = readSource(plan.file, file => plan.sources.get(file) ?? '', [])
  // the plan was made from these texts, so they hold a graph
  const value = isObject(source?.value) ? source.value : {}
  return withSettings(value, settings, ([section, name, part, ...steps]) => {
    const parts: readonly { name: string; config: unknown }[] =
      section === 'nodes' ? plan.nodes : plan.resources
    const config = part === 'config' ? parts.find(other => other.name === name)?.config : undefined
    return steps.reduce<unknown>(
      (inner, step) => at(inner, Array.isArray(inner) ? Number(step) : step),
      config,
    )
  })
}
