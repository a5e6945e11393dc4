import type { Known, Sizes } from '../../operator.ts'
import type { PlannedNode, PlannedResource } from '../plan.ts'
import { inScope } from './resources.ts'

/** What resources say of themselves without being opened, by the name that a part in a scope gives them. */
export type SizesIn = (scope: string) => Known['sizes']

/** Reads each resource at most once. One that cannot be read yet has no sizes. */
export function sizesOf(resources: readonly PlannedResource[]): SizesIn {
  const found = new Map<string, Sizes>()
  const within: SizesIn = scope => name => {
    const planned = inScope(name, scope, resources)
    if (!planned) return {}
    const known = found.get(planned.name)
    if (known) return known
    // resources that need each other in a circle are reported elsewhere: they have no sizes
    found.set(planned.name, {})
    const sizes = unlessUnread(() => planned.resource.sizes?.(planned.config, within(planned.scope)) ?? {})
    found.set(planned.name, sizes)
    return sizes
  }
  return within
}

/** What resources hand out without being opened, by the name that a part in a scope gives them. */
export type OutlineIn = (scope: string) => Known['outline']

/** Makes each outline at most once. */
export function outlinesOf(resources: readonly PlannedResource[]): OutlineIn {
  const made = new Map<string, unknown>()
  const within: OutlineIn =
    scope =>
    <T>(name: string) => {
      const planned = inScope(name, scope, resources)
      if (!planned?.resource.outline) throw new Error(`"${name}" says nothing before it is opened`)
      if (!made.has(planned.name))
        made.set(planned.name, planned.resource.outline(planned.config, within(planned.scope)))
      // an operator that asks for a resource of a kind knows what that kind hands out
      return made.get(planned.name) as T
    }
  return within
}

/** What a node's operator says of the names in its shapes. */
export const dimsOf = ({ operator, config, scope }: PlannedNode, sizes: SizesIn): Sizes =>
  unlessUnread(() => operator.dims?.(config, sizes(scope)) ?? {})

/** Data that cannot be read yet (a model that the run will make) is not the graph's fault: nothing is known then. */
function unlessUnread(read: () => Sizes): Sizes {
  try {
    return read()
  } catch {
    return {}
  }
}
