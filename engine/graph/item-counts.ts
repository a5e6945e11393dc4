import type { Finding, Outlines } from '../operator.ts'
import { dropsItems } from './checks/losses.ts'
import type { Plan, PlannedNode } from './plan.ts'

/** How many rows sources read in one pass, by the name of the node. */
export type RowCounts = ReadonlyMap<string, number>

/**
 * How many items nodes get and emit in a whole run, computed from the rows of their sources: infinite where a source repeats them, undefined
 * where it cannot be told. Items that fail and are skipped are counted.
 */
export function itemCounts({ nodes }: Pick<Plan, 'nodes'>, rows: RowCounts) {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const into = ({ wires }: PlannedNode): number | undefined => {
    // what an edge with a first value brings is news for the work on items, no item of its own
    const [wire, other] = wires.filter(({ initial }) => initial === undefined)
    const before = wire && byName.get(wire.from.node)
    return !before || other || dropsItems(wire) ? undefined : outOf(before)
  }
  const outOf = (node: PlannedNode): number | undefined => {
    const { operator, config, wires, name } = node
    const isSource = wires.length === 0
    const items = isSource ? rows.get(name) : into(node)
    if (items === undefined) return undefined
    if (operator.makes) return operator.makes(config, items)
    const keepsAll = operator.drops === false && !operator.expands && (operator.collects?.(config) ?? 1) === 1
    return keepsAll && !isSource ? items : undefined
  }
  return { into, outOf }
}

/** What operators find in the number of items that will reach them; `knownTo` is false for a node that is not asked. */
export function* countFindings(
  { nodes }: Pick<Plan, 'nodes'>,
  rows: RowCounts,
  knownTo: (node: PlannedNode) => Outlines | false,
): Generator<{ node: PlannedNode; finding: string | Finding }> {
  const { into } = itemCounts({ nodes }, rows)
  for (const node of nodes) {
    const { operator, config } = node
    const items = operator.inspectCount && into(node)
    const known = items !== undefined && knownTo(node)
    if (!known) continue
    for (const finding of operator.inspectCount?.(items, config, { ...known, rows }) ?? [])
      yield { node, finding }
  }
}
