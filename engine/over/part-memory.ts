import type { MemoryPlan } from '../graph/memory.ts'
import { ownMemory } from '../graph/own-memory.ts'
import type { Plan, PlannedPart } from '../graph/plan.ts'
import { resourcesOf } from './cut.ts'

/** The most memory that the home part of a plan may take when workers run its other parts. It opens every resource. */
export function homeMemory(plan: Plan): MemoryPlan {
  const isInPart = (name: string) => plan.parts.some(({ nodes }) => nodes.has(name))
  const nodes = plan.nodes.map(({ name }) => name).filter(name => !isInPart(name))
  return ownMemory(plan, {
    nodes: new Set(nodes),
    resources: new Set(plan.resources.map(({ name }) => name)),
  })
}

/** The most memory that a worker of a part may take. */
export function workerMemory(plan: Plan, { nodes }: PlannedPart): MemoryPlan {
  const inside = plan.nodes.filter(({ name }) => nodes.has(name))
  const resources = resourcesOf(inside, plan.resources)
  return ownMemory(plan, { nodes, resources: new Set(resources.map(({ name }) => name)) })
}
