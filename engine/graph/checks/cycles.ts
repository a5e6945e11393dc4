import type { FlatNode, Wire } from '../flatten/flat.ts'

/**
 * Cycles made of edges that do not start with a value: such a cycle would wait for itself. Each is a list of edges in the
 * direction of flow; one is given for every edge that closes a cycle in a depth-first walk.
 */
export function findCycles(nodes: readonly FlatNode[]): Wire[][] {
  const outgoing = new Map<string, { wire: Wire; to: string }[]>(nodes.map(node => [node.name, []]))
  for (const node of nodes) {
    for (const wire of node.wires) {
      if (!wire.initial) outgoing.get(wire.from.node)?.push({ wire, to: node.name })
    }
  }
  const cycles: Wire[][] = []
  const state = new Map<string, 'open' | 'done'>()
  // recursion would overflow the stack on a chain of many thousand nodes, which is a valid graph
  for (const { name: start } of nodes) {
    if (state.has(start)) continue
    const trail: { name: string; next: number; by?: Wire }[] = [{ name: start, next: 0 }]
    state.set(start, 'open')
    for (;;) {
      const top = trail.at(-1)
      if (!top) break
      const edge = outgoing.get(top.name)?.[top.next++]
      if (!edge) {
        state.set(top.name, 'done')
        trail.pop()
      } else if (!state.has(edge.to)) {
        state.set(edge.to, 'open')
        trail.push({ name: edge.to, next: 0, by: edge.wire })
      } else if (state.get(edge.to) === 'open') {
        const from = trail.findIndex(step => step.name === edge.to)
        cycles.push([...trail.slice(from + 1).flatMap(step => step.by ?? []), edge.wire])
      }
    }
  }
  return cycles
}
