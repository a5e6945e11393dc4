import { lastResort, locate, type Wire } from '../flatten/flat.ts'
import type { PlannedNode } from '../plan.ts'
import type { Problem } from '../problem.ts'
import { collectedBy, dropsItems } from './losses.ts'

type Nodes = ReadonlyMap<string, PlannedNode>

/**
 * Reports nodes that wait for pairs of items with the same key and can fill up with items whose partner never arrives.
 * Where one source feeds such a node the engine sees that a partner was dropped on its way, and the item that waits for it
 * is given up (`run/node/partners.ts`). It cannot see that where the ways to the inputs begin at several sources, where one
 * item becomes several, and where items begin anew on a feedback edge; nor while a partner lies in a list that is not full.
 */
export function checkPairs(nodes: readonly PlannedNode[], problems: Problem[]): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  for (const node of nodes) {
    if (!node.operator.pairs) continue
    const ports = [...new Set(node.wires.map(({ port }) => port))]
    const ways = ports.map(port => {
      const wires = node.wires.filter(wire => wire.port === port)
      return { wires, before: nodesBefore(wires, byName) }
    })
    const all = new Set(ways.flatMap(({ before }) => [...before]))
    const followed = isFollowed([node, ...all])
    const limit = node.operator.credits?.(node.config) ?? 1
    for (const { wires, before } of ways) {
      const own = [...before].filter(other => ways.some(way => !way.before.has(other)))
      const size = product(own.map(collectedBy)) * collectedAfter(node.name, nodes)
      const collector = own.find(other => collectedBy(other) > 1)
      const loser = followed ? undefined : lossOn(own, wires)
      if (collector && (size > limit || !followed))
        problems.push({
          ...about(node, wires),
          rule: `must get both items of a pair while at most ${limit} wait at an input, and "${collector.name}" on the way to it ${collectedBy(collector) === Infinity ? 'waits for all items' : `makes one item of ${collectedBy(collector)}`}`,
          found: `"${node.name}", which waits for pairs`,
          remedy: `collect items after "${node.name}", or before the ways to it part`,
        })
      else if (loser !== undefined)
        problems.push({
          ...about(node, wires),
          rule: `must get both items of a pair, and ${loser} on the way to it; whether a partner can still arrive is known only where one source feeds both ways, makes no several items of one, and no feedback edge is among them`,
          found: `"${node.name}", which waits for pairs`,
          remedy: `drop items before the ways to "${node.name}" part, or after it; an operator that drops none says so by \`drops: false\``,
        })
    }
  }
}

const about = (node: PlannedNode, wires: readonly Wire[]): Pick<Problem, 'code' | 'place' | 'path'> => {
  const [wire] = wires
  return { code: 'pair-never-meets', ...(wire ? locate(wire.at) : { path: `nodes.${node.name}` }) }
}

const product = (numbers: readonly number[]): number => numbers.reduce((all, one) => all * one, 1)

/** A loop that hands back only its newest value has no part in what an item descends from. */
const carriesItems = (wire: Wire): boolean => !(wire.initial !== undefined && wire.keep === 'latest')

function nodesBefore(wires: readonly Wire[], byName: Nodes): Set<PlannedNode> {
  const found = new Set<PlannedNode>()
  const open = [...wires]
  for (const wire of open) {
    const node = carriesItems(wire) ? byName.get(wire.from.node) : undefined
    if (!node || found.has(node)) continue
    found.add(node)
    open.push(...node.wires)
  }
  return found
}

/** Whether all items at a node descend from items of one source that stay single and are never begun anew. */
function isFollowed(nodes: readonly PlannedNode[]): boolean {
  const sources = nodes.filter(({ wires }) => wires.length === 0)
  const renewed = nodes.some(({ wires }) =>
    wires.some(wire => wire.initial !== undefined && carriesItems(wire)),
  )
  return sources.length === 1 && !renewed && !nodes.some(({ operator }) => operator.expands)
}

/** What may lose or change an item on the way to one input. */
function lossOn(own: readonly PlannedNode[], wires: readonly Wire[]): string | undefined {
  const full = [...wires, ...own.flatMap(node => node.wires)].find(
    wire => carriesItems(wire) && dropsItems(wire),
  )
  if (full) return `the edge from "${full.from.node}" may drop items`
  const skipping = own.find(({ onError }) => lastResort(onError) === 'skip')
  if (skipping) return `"${skipping.name}" skips items that fail`
  const expanding = own.find(({ operator }) => operator.expands)
  if (expanding) return `"${expanding.name}" makes several items of one`
  const dropping = own.find(({ operator, wires }) => operator.drops !== false && wires.length > 0)
  return dropping && `"${dropping.name}" (${dropping.operatorName}) may drop items`
}

/** Items of a node that the nodes after it collect before they let go of any. */
function collectedAfter(
  name: string,
  nodes: readonly PlannedNode[],
  seen: ReadonlySet<string> = new Set(),
): number {
  const next = nodes.filter(
    node =>
      !seen.has(node.name) && node.wires.some(wire => wire.initial === undefined && wire.from.node === name),
  )
  return Math.max(
    1,
    ...next.map(node => collectedBy(node) * collectedAfter(node.name, nodes, new Set([...seen, name]))),
  )
}
