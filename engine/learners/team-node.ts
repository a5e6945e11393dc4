// Which nodes of a graph several learners can work on, and the part of the graph that another learner runs.
import { lookUp } from '../graph/look-up.ts'
import type { Plan, PlannedNode } from '../graph/plan.ts'
import type { Operator } from '../operator.ts'
import { resourcesOf } from '../over/cut.ts'
import { jsonForm, type WireForm } from '../wire-form.ts'

/** A node whose batches are divided. */
export interface TeamNode {
  readonly name: string
  /** Items of a piece. */
  readonly items: number
  readonly form: WireForm
  outgoing(value: unknown): unknown
}

/** The nodes of a plan whose batches are divided. */
export function teamNodes({ nodes }: Plan, forms: Readonly<Record<string, WireForm>>): TeamNode[] {
  return nodes.flatMap(({ name, operator, config }): TeamNode[] => {
    const { team } = operator
    if (!team) return []
    const outgoing = (value: unknown) => (team.outgoing ? team.outgoing(value) : value)
    return [{ name, items: team.items?.(config) ?? 1, form: formOf(operator, forms), outgoing }]
  })
}

function formOf({ inputs }: Operator, forms: Readonly<Record<string, WireForm>>): WireForm {
  const [port] = Object.values(inputs)
  const kind = typeof port === 'object' ? port.kind : (port ?? 'any')
  return lookUp(forms, kind) ?? jsonForm
}

/** The plan of another learner: the nodes whose batches are divided, each fed by a source of its own, and what they use. */
export function learnerPlan(plan: Plan, runOf: (node: PlannedNode) => Operator['run']): Plan {
  const nodes = plan.nodes
    .filter(({ operator }) => operator.team !== undefined)
    .map((node): PlannedNode => {
      const operator = {
        ...node.operator,
        inputs: {},
        outputs: { done: 'any' },
        effects: true,
        run: runOf(node),
      }
      return { ...node, operator, wires: [] }
    })
  const { checkpoint: _, ...rest } = plan
  return { ...rest, nodes, parts: [], resources: resourcesOf(nodes, plan.resources) }
}
