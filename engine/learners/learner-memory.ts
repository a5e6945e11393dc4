import { type MemoryPlan, planMemory } from '../graph/memory.ts'
import type { Plan } from '../graph/plan.ts'
import { learnerPlan } from './team-node.ts'

/** GPU memory of all learners of a run together, when they share one GPU. */
export const bytesOfLearners = (plan: Plan, learners: number): number =>
  planMemory(plan).bytes + (learners > 1 ? (learners - 1) * learnerMemory(plan).bytes : 0)

/** The most memory that another learner may take: what its nodes and their resources take, and the values of a whole batch. */
export function learnerMemory(plan: Plan): MemoryPlan {
  const own = learnerPlan(plan, ({ operator }) => operator.run)
  const parts = new Set([...own.nodes, ...own.resources].map(({ name }) => name))
  // an edge is named by its ends: `… → node.port`
  const isOwn = (part: string) =>
    parts.has(part) || own.nodes.some(({ name }) => part.includes(` → ${name}.`))
  const whole = planMemory(plan)
  const rows = whole.rows.filter(({ part }) => isOwn(part))
  const total = (device: 'gpu' | 'host') =>
    rows.reduce((sum, row) => sum + (row.device === device ? row.bytes : 0), 0)
  const unknown = whole.unknown.filter(({ part }) => isOwn(part))
  return { rows, bytes: total('gpu'), hostBytes: total('host'), turns: [], unknown }
}
