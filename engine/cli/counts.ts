import type { Plan, PlannedNode } from '../graph/plan.ts'
import type { Status } from '../run/record/status.ts'

/** Items of each node and the time that it worked, e.g. `short 7 of 12 kept (0.1 s)` for a node that dropped items. */
export function countsOf({ nodes, edges }: Status, plan: Plan): string {
  const planned = new Map(plan.nodes.map(node => [node.name, node]))
  return nodes
    .map(({ name, items, workSeconds }) => {
      const node = planned.get(name)
      const kept = node && mayKeepFewer(node) ? passedOn(name, edges) : undefined
      const count = kept === undefined || kept >= items ? `${items}` : `${kept} of ${items} kept`
      return `${name} ${count} (${workSeconds.toFixed(1)} s)`
    })
    .join('  ')
}

/** Items that nodes did not pass on, e.g. of a filter. */
export function droppedIn({ nodes, edges }: Status, plan: Plan): number {
  const planned = new Map(plan.nodes.map(node => [node.name, node]))
  return nodes
    .map(({ name, items }) => {
      const node = planned.get(name)
      const kept = node && mayKeepFewer(node) ? passedOn(name, edges) : undefined
      return kept === undefined ? 0 : Math.max(0, items - kept)
    })
    .reduce((sum, one) => sum + one, 0)
}

/** A node that passes on some of its items, each alone; no source, no list of items. */
const mayKeepFewer = ({ operator, config, wires }: PlannedNode): boolean =>
  wires.length > 0 &&
  operator.drops === true &&
  !operator.expands &&
  Object.keys(operator.outputs).length === 1 &&
  (operator.collects?.(config) ?? 1) === 1

/** What left a node; undefined where nobody takes it. */
function passedOn(name: string, edges: Status['edges']): number | undefined {
  // what begins on an edge that returns has not left the node
  const [first] = edges.filter(({ from, feedback }) => from === name && !feedback)
  return first && first.passed + first.dropped
}
