import { near } from '../did-you-mean.ts'
import { locate } from '../flatten/flat.ts'
import type { PlannedNode, Registry } from '../plan.ts'
import { type Problem, show } from '../problem.ts'

/**
 * Reports names, such as those of rewards, that a node looks for on its items and that no node before it adds. Where an operator of a
 * plugin that does not say what it adds is before it, nothing can be said.
 */
export function checkMarks(
  nodes: readonly PlannedNode[],
  { modules = {} }: Pick<Registry, 'modules'>,
  problems: Problem[],
): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  for (const node of nodes) {
    const needs = node.operator.marks?.(node.config).needs ?? []
    if (needs.length === 0 || node.at === undefined) continue
    const before = nodesBefore(node, byName)
    if ([node, ...before].some(one => isOpen(one) || isSilent(one, modules) || isSourceFor(node, one)))
      continue
    const added = new Set(before.flatMap(({ operator, config }) => operator.marks?.(config).adds ?? []))
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

/** A node of a sub-graph that is checked alone, whose items come from elsewhere. */
const isOpen = ({ operator, wires }: PlannedNode): boolean =>
  Object.keys(operator.inputs).some(port => !wires.some(wire => wire.port === port))

/** An operator that does not say what it adds, and may add anything: one of a plugin, or one that makes new items of any kind. */
const isSilent = ({ operator, operatorName }: PlannedNode, modules: object): boolean =>
  !operator.marks &&
  (Object.hasOwn(modules, operatorName) ||
    Object.values(operator.outputs).some(
      port => port === 'any' || (typeof port === 'object' && port.kind === 'any' && port.like === undefined),
    ))

/** A source of items of the kind that a node takes: they may have any names from before. */
const isSourceFor = (node: PlannedNode, { operator }: PlannedNode): boolean => {
  const kinds = Object.values(node.operator.inputs).map(kindOf)
  const isSource = Object.keys(operator.inputs).length === 0 && !operator.marks
  return isSource && Object.values(operator.outputs).some(port => kinds.includes(kindOf(port)))
}

const kindOf = (port: string | { readonly kind: string }): string =>
  typeof port === 'string' ? port : port.kind

/** The nodes that a node's items come through; what returns on a feedback edge is not before it. */
function nodesBefore(node: PlannedNode, byName: ReadonlyMap<string, PlannedNode>): PlannedNode[] {
  const found = new Set<PlannedNode>()
  const open = [...node.wires]
  for (const { from, initial } of open) {
    const before = initial === undefined ? byName.get(from.node) : undefined
    if (!before || found.has(before)) continue
    found.add(before)
    open.push(...before.wires)
  }
  return [...found]
}
