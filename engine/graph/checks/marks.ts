import { near } from '../did-you-mean.ts'
import { locate } from '../flatten/flat.ts'
import type { PlannedNode } from '../plan.ts'
import { type Problem, show } from '../problem.ts'

/**
 * Reports names, such as those of rewards, that a node looks for on its items and that no node before it adds. Nothing can be said
 * where one of them does not state what it adds, or takes items from outside the graph.
 */
export function checkMarks(nodes: readonly PlannedNode[], problems: Problem[]): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  for (const node of nodes) {
    const needs = node.operator.marks?.(node.config).needs ?? []
    if (needs.length === 0 || node.at === undefined) continue
    const added = addedBefore(node, byName)
    if (!added) continue
    const names = [...added].filter(one => one !== '')
    for (const { name, steps, ifOthers = false, rule, remedy } of needs) {
      if (added.has(name) || (ifOthers && added.size === 0)) continue
      const { nearest } = name === '' ? {} : near(name, names)
      problems.push({
        code: 'bad-config',
        ...locate(node.at, steps.length > 0 ? ['config', ...steps] : []),
        rule,
        ...(name !== '' && { found: show(name) }),
        hint: names.length > 0 ? `set before it: ${names.join(', ')}` : 'no node before it sets any',
        ...(nearest === undefined ? { remedy } : { nearest }),
      })
    }
  }
}

/** The names on the items that a node takes; undefined where they cannot be known. What returns on a feedback edge is not before it. */
function addedBefore(node: PlannedNode, byName: ReadonlyMap<string, PlannedNode>): Set<string> | undefined {
  const added = new Set<string>()
  const found = new Set<PlannedNode>([node])
  // a set takes in what is added to it while it is walked through
  for (const one of found) {
    if (isOpen(one)) return undefined
    for (const { from, initial } of one.wires) {
      const before = initial === undefined ? byName.get(from.node) : undefined
      if (!before || found.has(before)) continue
      const marks = before.operator.marks?.(before.config)
      if (!marks) return undefined
      for (const name of marks.adds ?? []) added.add(name)
      if (!marks.anew) found.add(before)
    }
  }
  return added
}

/** A node of a sub-graph that is checked alone, whose items come from elsewhere. */
const isOpen = ({ operator, wires }: PlannedNode): boolean =>
  Object.entries(operator.inputs).some(
    ([name, port]) => !wires.some(wire => wire.port === name) && !(typeof port === 'object' && port.optional),
  )
