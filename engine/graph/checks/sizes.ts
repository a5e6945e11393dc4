import type { Known, Sizes } from '../../operator.ts'
import type { PlannedNode, PlannedResource } from '../plan.ts'
import { inScope } from './resources.ts'

/** Sizes that resources tell before they are opened, by the name that a part in a scope gives them. */
export type SizesIn = (scope: string) => Known['sizes']

/** Reads each resource at most once. One that cannot be read yet has no sizes. */
export function sizesOf(resources: readonly PlannedResource[]): SizesIn {
  const sizesByName = new Map<string, Sizes>()
  const within: SizesIn = scope => name => {
    const planned = inScope(name, scope, resources)
    if (!planned) return {}
    const cached = sizesByName.get(planned.name)
    if (cached) return cached
    // resources that need each other in a circle are reported elsewhere: they have no sizes
    sizesByName.set(planned.name, {})
    const sizes = unlessUnread(() => planned.resource.sizes?.(planned.config, within(planned.scope)) ?? {})
    sizesByName.set(planned.name, sizes)
    return sizes
  }
  return within
}

/** What resources hand out without being opened, by the name that a part in a scope gives them. */
export type OutlineIn = (scope: string) => Known['outline']

/** Makes each outline at most once. */
export function outlinesOf(resources: readonly PlannedResource[]): OutlineIn {
  const outlines = new Map<string, unknown>()
  const within: OutlineIn =
    scope =>
    <T>(name: string) => {
      const planned = inScope(name, scope, resources)
      if (!planned?.resource.outline) throw new Error(`"${name}" says nothing before it is opened`)
      if (!outlines.has(planned.name))
        outlines.set(planned.name, planned.resource.outline(planned.config, within(planned.scope)))
      // an operator that names a resource of a kind states the type that this kind gives
      return outlines.get(planned.name) as T
    }
  return within
}

/** The sizes that a node's operator gives to names in its shapes. */
export const dimsOf = ({ operator, config, scope }: PlannedNode, sizes: SizesIn): Sizes =>
  unlessUnread(() => operator.dims?.(config, sizes(scope)) ?? {})

/** The sizes, or none when the data cannot be read yet, e.g. a model that the run will make: no fault of the graph. */
function unlessUnread(read: () => Sizes): Sizes {
  try {
    return read()
  } catch {
    return {}
  }
}
