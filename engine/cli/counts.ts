import type { Plan, PlannedNode } from '../graph/plan.ts'
import type { Status } from '../run/record/status.ts'

/** Items of each node and the time that it worked, e.g. `short 7 of 12 kept (0.1 s)` for a node that dropped items. */
export const countsOf = (status: Status, plan: Plan): string =>
  keptOf(status, plan)
    .filter(({ name }) => isCounted(name, status, plan))
    .map(({ name, items, workSeconds, kept }) => {
      const count = kept < items ? `${kept} of ${items} kept` : `${items}`
      return `${name} ${count} (${workSeconds.toFixed(1)} s)`
    })
    .join('  ')

/** Of a source whose items nobody takes, e.g. one that writes a model, none are counted: it says itself what it did. */
const isCounted = (name: string, { edges }: Status, plan: Plan): boolean =>
  edges.some(({ from }) => from === name) ||
  plan.nodes.some(node => node.name === name && node.wires.length > 0)

/** Items that nodes did not pass on, e.g. of a filter. */
export const droppedIn = (status: Status, plan: Plan): number =>
  keptOf(status, plan).reduce((sum, { items, kept }) => sum + items - kept, 0)

/** The nodes, each with the number of its items that it passed on: all of them, where it is not known to drop some. */
function keptOf({ nodes, edges }: Status, plan: Plan) {
  const planned = new Map(plan.nodes.map(node => [node.name, node]))
  return nodes.map(one => {
    const node = planned.get(one.name)
    const passed = node && mayKeepFewer(node) ? passedOn(one.name, edges) : undefined
    return { ...one, kept: Math.min(passed ?? one.items, one.items) }
  })
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
