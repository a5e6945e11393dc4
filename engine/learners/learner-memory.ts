import type { MemoryPlan } from '../graph/memory.ts'
import { ownMemory } from '../graph/own-memory.ts'
import type { Plan } from '../graph/plan.ts'
import { learnerPlan } from './team-node.ts'

/** The most memory that another learner may take: what its nodes and their resources take, and the values of a whole batch. */
export function learnerMemory(plan: Plan): MemoryPlan {
  const { nodes, resources } = learnerPlan(plan, ({ operator }) => operator.run)
  const namesOf = (parts: readonly { name: string }[]) => new Set(parts.map(({ name }) => name))
  return ownMemory(plan, { nodes: namesOf(nodes), resources: namesOf(resources) })
}
