import type { Edge } from '../node/edge.ts'
import type { RunningNode } from '../node/node.ts'
import type { NodeStatus } from './status.ts'

/** How often a node was seen in each state. */
interface Counts {
  working: number
  blocked: number
  waiting: number
  /** Of the blocked ones: how often by which node. */
  blockers: Map<string, number>
  /** Items at the previous reading. */
  itemsBefore: number
}

/** Counts what the nodes of a run do, by observing them from time to time. */
export class NodeStatistics {
  readonly #nodes: readonly RunningNode[]
  readonly #edges: readonly Edge[]
  readonly #counts = new Map<RunningNode, Counts>()
  readonly #begin = performance.now()
  #previous = this.#begin

  constructor(nodes: readonly RunningNode[], edges: readonly Edge[]) {
    this.#nodes = nodes
    this.#edges = edges
  }

  /** Counts the present state of each node. */
  observe(): void {
    for (const node of this.#nodes) {
      const state = this.#stateOf(node)
      if (state === 'ended') continue
      const counts = this.#countsOf(node)
      counts[state]++
      const edge = state === 'blocked' ? this.#fullEdge(node) : undefined
      if (edge) counts.blockers.set(edge.consumer, (counts.blockers.get(edge.consumer) ?? 0) + 1)
    }
  }

  /** The status of each node. Rates are since the previous reading, or, once the run has ended, over the whole run. */
  read(ended: boolean): NodeStatus[] {
    const now = performance.now()
    const seconds = Math.max((now - (ended ? this.#begin : this.#previous)) / 1000, 1e-9)
    this.#previous = now
    return this.#nodes.map(node => {
      const counts = this.#countsOf(node)
      const { working, blocked, waiting, blockers } = counts
      const observations = Math.max(1, working + blocked + waiting)
      const items = this.#itemsOf(node)
      const rate = (items - (ended ? 0 : counts.itemsBefore)) / seconds
      counts.itemsBefore = items
      const [blockedBy] = [...blockers].sort((a, b) => b[1] - a[1])[0] ?? []
      return {
        name: node.name,
        operator: node.planned.operatorName,
        state: ended ? 'ended' : this.#stateOf(node),
        items,
        rate,
        workSeconds: node.workSeconds,
        working: working / observations,
        blocked: blocked / observations,
        waiting: waiting / observations,
        ...(blockedBy !== undefined && { blockedBy }),
      }
    })
  }

  #countsOf(node: RunningNode): Counts {
    const counts = this.#counts.get(node) ?? {
      working: 0,
      blocked: 0,
      waiting: 0,
      blockers: new Map(),
      itemsBefore: 0,
    }
    this.#counts.set(node, counts)
    return counts
  }

  #stateOf(node: RunningNode): NodeStatus['state'] {
    if (node.state === 'ended') return 'ended'
    if (node.working > 0) return 'working'
    return this.#fullEdge(node) ? 'blocked' : 'waiting'
  }

  /** An edge out of the node that has no room. */
  #fullEdge(node: RunningNode): Edge | undefined {
    return this.#edges.find(edge => edge.wire.from.node === node.name && edge.full)
  }

  #itemsOf(node: RunningNode): number {
    const incoming = this.#edges.filter(edge => edge.consumer === node.name && !edge.latest)
    if (incoming.length > 0) return incoming.reduce((sum, edge) => sum + edge.taken, 0)
    return Math.max(
      0,
      ...this.#edges.filter(edge => edge.wire.from.node === node.name).map(edge => edge.passed),
    )
  }
}
