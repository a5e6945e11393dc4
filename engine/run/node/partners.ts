// Items that wait for a partner with the same key, e.g. after a filter on one of two ways that part and meet again.
import { Origin } from '../items/trace.ts'
import type { Edge } from './edge.ts'
import type { RunningNode } from './node.ts'

/**
 * Lets operators release items whose partner can no longer arrive, at a moment when nothing else can happen; returns
 * whether any was released. A partner descends from the same source item: when all that still lives of this item waits
 * for partners itself, or lies where no way leads to a node that waits, e.g. in a list beside it, none will come. That holds where one source feeds the node, and no feedback edge that keeps all its
 * items leads to it: on that edge they begin anew.
 */
export function shedPartnerless(nodes: readonly RunningNode[], edges: readonly Edge[]): boolean {
  const waiting = nodes.filter(node => node.waitsForPartners && hasOneSource(node, nodes))
  if (waiting.length === 0) return false
  const held = new Map<Origin, number>()
  const leading = nodesBefore(waiting, nodes)
  const asides = nodes.filter(node => waiting.includes(node) || !leading.has(node.name))
  const leases = [
    ...asides.flatMap(node => node.ownedLeases.all),
    ...edges.filter(({ consumer }) => !leading.has(consumer)).flatMap(edge => edge.leases),
  ]
  for (const lease of leases)
    for (const origin of lease.traces)
      if (origin instanceof Origin) held.set(origin, (held.get(origin) ?? 0) + 1)
  const sheds = waiting.map(node =>
    node.shed(({ traces }) => {
      const origins = traces.filter(trace => trace instanceof Origin)
      return origins.length > 0 && origins.every(origin => origin.live === held.get(origin))
    }),
  )
  return sheds.includes(true)
}

/** Names of the nodes from which items may get to one of these nodes, and these. */
function nodesBefore(ends: readonly RunningNode[], nodes: readonly RunningNode[]): ReadonlySet<string> {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const names = new Set(ends.map(({ name }) => name))
  for (const name of names) for (const { from } of byName.get(name)?.planned.wires ?? []) names.add(from.node)
  return names
}

function hasOneSource(node: RunningNode, nodes: readonly RunningNode[]): boolean {
  const before = new Set([node])
  for (const { planned } of before)
    for (const wire of planned.wires) {
      if (wire.initial !== undefined && wire.keep === 'latest') continue
      if (wire.initial !== undefined) return false
      const from = nodes.find(({ name }) => name === wire.from.node)
      if (from) before.add(from)
    }
  return [...before].filter(({ makesItems }) => makesItems).length === 1
}
