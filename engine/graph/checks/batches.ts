import { endName, locate, type Wire } from '../flatten/flat.ts'
import type { PlannedNode } from '../plan.ts'
import type { Problem } from '../problem.ts'

/**
 * Reports nodes that wait for more items than a feedback edge lets into its cycle: with `maxLag` n, n + 1 items are in
 * the cycle, and the next one comes only after the cycle has answered. A node is no fault when another path of the
 * cycle goes past it, or when an operator before it in the cycle makes several items of one: how many is not known.
 */
export function checkBatches(nodes: readonly PlannedNode[], problems: Problem[]): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  for (const gated of nodes) {
    for (const feedback of gated.wires) {
      const { maxLag, from } = feedback
      if (maxLag === undefined) continue
      const within = onTheWay(gated.name, from.node, nodes)
      const expanding = within.filter(name => byName.get(name)?.operator.expands)
      const needed = itemsNeeded(gated.name, within, byName)
      for (const name of within) {
        const node = byName.get(name)
        const size = needed.get(name) ?? 1
        const collects = node?.operator.collects?.(node.config) ?? 1
        if (!node || collects === 1 || size <= maxLag + 1 || reaches(gated.name, from.node, nodes, name))
          continue
        const before = onTheWay(gated.name, name, nodes)
        if (expanding.some(other => other !== name && before.includes(other))) continue
        const first = node.wires.find(wire => wire.initial === undefined)
        problems.push({
          code: 'batch-never-fills',
          ...locate(first?.at ?? feedback.at),
          rule: `must be fed ${size} items before it emits any, and only ${maxLag + 1} can be in the cycle (maxLag ${maxLag})`,
          found: `"${name}" (${node.operatorName}) within the cycle ${gated.name} → … → ${endName(from)}`,
          remedy: `raise maxLag of "${gated.name}.${feedback.port}" to ${size - 1}, or lower the size of the batch to ${Math.max(1, Math.floor((collects * (maxLag + 1)) / size))}`,
        })
      }
    }
  }
}

/** Items of the gated node that each node within its cycle needs before it emits: batches in a row multiply. */
function itemsNeeded(
  gated: string,
  within: readonly string[],
  byName: ReadonlyMap<string, PlannedNode>,
): Map<string, number> {
  const needed = new Map<string, number>()
  const open = new Set(within)
  // what is not on the way from the gated node may bring any number of items
  const before = (name: string) => (open.has(name) ? needed.get(name) : 1)
  for (let moved = true; moved; ) {
    moved = false
    for (const name of within) {
      const node = byName.get(name)
      if (!node || needed.has(name)) continue
      const wires = name === gated ? [] : node.wires.filter(forward)
      const each = wires.map(wire => before(wire.from.node))
      if (each.includes(undefined)) continue
      const fewest = Math.min(...each.flatMap(count => count ?? []))
      needed.set(name, (node.operator.collects?.(node.config) ?? 1) * (wires.length > 0 ? fewest : 1))
      moved = true
    }
  }
  return needed
}

/** The cycle of a feedback edge with `maxLag`, and the items that the edge lets into it. */
export interface Loop {
  /** Names of the nodes from the one that waits to the one that answers. */
  readonly within: readonly string[]
  /** Items of the waiting node that can be within at the same time. */
  readonly items: number
}

/** The loops of a graph, without those in which an operator makes several items of one. */
export function loopsOf(nodes: readonly PlannedNode[]): Loop[] {
  const byName = new Map(nodes.map(node => [node.name, node]))
  return nodes.flatMap(gated =>
    gated.wires.flatMap(({ maxLag, from }) => {
      const within = onTheWay(gated.name, from.node, nodes)
      if (maxLag === undefined || within.some(name => byName.get(name)?.operator.expands)) return []
      return [{ within, items: maxLag + 1 }]
    }),
  )
}

/** Nodes on paths from one node to another, both included. Feedback edges are no part of a path. */
export function onTheWay(start: string, end: string, nodes: readonly PlannedNode[]): string[] {
  const after = walk(start, next(nodes))
  const before = walk(end, previous(nodes))
  return [...after].filter(name => before.has(name))
}

function reaches(start: string, end: string, nodes: readonly PlannedNode[], without: string): boolean {
  if (without === start || without === end) return false
  return walk(start, next(nodes), without).has(end)
}

/** Names of the nodes from which each node that answers on a feedback edge can be reached, without feedback edges. */
export function nodesBefore(
  nodes: readonly PlannedNode[],
  ends: ReadonlySet<string>,
): Map<string, Set<string>> {
  const steps = previous(nodes)
  return new Map([...ends].map(end => [end, walk(end, steps)]))
}

function walk(start: string, step: ReadonlyMap<string, readonly string[]>, without?: string): Set<string> {
  const seen = new Set([start])
  for (const name of seen) for (const other of step.get(name) ?? []) if (other !== without) seen.add(other)
  return seen
}

const forward = (wire: Wire) => wire.initial === undefined

function next(nodes: readonly PlannedNode[]): Map<string, string[]> {
  const map = new Map<string, string[]>(nodes.map(node => [node.name, []]))
  for (const node of nodes)
    for (const wire of node.wires.filter(forward)) map.get(wire.from.node)?.push(node.name)
  return map
}

const previous = (nodes: readonly PlannedNode[]) =>
  new Map(nodes.map(node => [node.name, node.wires.filter(forward).map(wire => wire.from.node)]))
