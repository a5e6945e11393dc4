import { endName, locate, type Wire } from '../flatten/flat.ts'
import type { PlannedNode } from '../plan.ts'
import type { Problem } from '../problem.ts'

/**
 * Reports nodes that wait for more items than a feedback edge lets into its cycle: with `maxLag` n, n + 1 items are in
 * the cycle, and the next one comes only after the cycle has answered. A node is no fault when another path of the
 * cycle goes past it, or when an operator of the cycle makes several items of one.
 */
export function checkBatches(nodes: readonly PlannedNode[], problems: Problem[]): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  for (const gated of nodes) {
    for (const feedback of gated.wires) {
      const { maxLag, from } = feedback
      if (maxLag === undefined) continue
      const within = onTheWay(gated.name, from.node, nodes)
      if (within.some(name => byName.get(name)?.operator.expands)) continue
      for (const name of within) {
        const node = byName.get(name)
        const size = node?.operator.collects?.(node.config) ?? 1
        if (!node || size <= maxLag + 1 || reaches(gated.name, from.node, nodes, name)) continue
        const first = node.wires.find(wire => wire.initial === undefined)
        problems.push({
          code: 'batch-never-fills',
          ...locate(first?.at ?? feedback.at),
          rule: `must be fed ${size} items before it emits any, and only ${maxLag + 1} can be in the cycle (maxLag ${maxLag})`,
          found: `"${name}" within the cycle ${gated.name} → … → ${endName(from)}`,
          remedy: `raise maxLag of "${gated.name}.${feedback.port}" to ${size - 1}, or lower the size of the batch to ${maxLag + 1}`,
        })
      }
    }
  }
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
function onTheWay(start: string, end: string, nodes: readonly PlannedNode[]): string[] {
  const after = walk(start, next(nodes))
  const before = walk(end, previous(nodes))
  return [...after].filter(name => before.has(name))
}

function reaches(start: string, end: string, nodes: readonly PlannedNode[], without: string): boolean {
  if (without === start || without === end) return false
  return walk(start, next(nodes), without).has(end)
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
