import { type MemoryPlan, planMemory } from './memory.ts'
import type { Plan } from './plan.ts'

/** Names of what a process of a run has of its graph. */
export interface Own {
  readonly nodes: ReadonlySet<string>
  readonly resources: ReadonlySet<string>
}

/**
 * The most memory that a process may take which has only these nodes and resources: their rows of the plan, and those of the
 * edges into its nodes. Nodes that would take turns in one process are added up, since the others may be elsewhere.
 */
export function ownMemory(plan: Plan, { nodes, resources }: Own): MemoryPlan {
  // an edge is named by its ends: `… → node.port`
  const isOwn = (part: string) =>
    nodes.has(part) || resources.has(part) || nodes.has(/ → (.+)\.[^.]+$/.exec(part)?.[1] ?? '')
  const whole = planMemory(plan)
  const rows = whole.rows.filter(({ part }) => isOwn(part))
  const total = (device: 'gpu' | 'host') =>
    rows.reduce((sum, row) => sum + (row.device === device ? row.bytes : 0), 0)
  const unknown = whole.unknown.filter(({ part }) => isOwn(part))
  return { rows, bytes: total('gpu'), hostBytes: total('host'), turns: [], unknown }
}
