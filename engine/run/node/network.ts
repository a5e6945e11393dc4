import { EMPTY } from 'rxjs'
import { nodesBefore } from '../../graph/checks/batches.ts'
import { endName, type Wire } from '../../graph/flatten/flat.ts'
import type { Plan, PlannedNode } from '../../graph/plan.ts'
import { processes } from '../../platform/processes.ts'
import { RunError } from '../error.ts'
import { Lease } from '../items/lease.ts'
import { nodeContext, type Services } from './context.ts'
import { Edge } from './edge.ts'
import type { NodeHost } from './host.ts'
import { RunningNode } from './node.ts'
import { shedPartnerless } from './partners.ts'
import { giveTurns } from './turn.ts'

/** The nodes of a run and the edges between them. */
export class Network {
  readonly nodes: readonly RunningNode[]
  readonly edges: readonly Edge[]
  readonly #host: NodeHost
  #look: () => void = () => {}
  #isCut = false

  constructor({ nodes }: Plan, host: NodeHost) {
    const made = new Map(nodes.flatMap(node => node.wires.map(wire => edgeTo(node, wire))))
    this.edges = [...made.values()]
    this.nodes = nodes.map(node => {
      const incoming = node.wires.flatMap(wire => made.get(wire) ?? [])
      const outgoing = this.edges.filter(edge => edge.wire.from.node === node.name)
      return new RunningNode(node, incoming, outgoing, host)
    })
    this.#host = host
    endTickets(this.edges, nodes)
    giveTurns(this.nodes, this.edges)
    for (const node of this.nodes) node.planned.copier?.onIdle.push(() => node.wake())
  }

  /** Puts the first value on each edge that starts with one. */
  fill(initialOf: (edge: Edge) => { value: unknown } | undefined): void {
    for (const edge of this.edges) {
      const initial = initialOf(edge)
      if (!initial) continue
      edge.first = initial.value
      edge.put(Lease.root(this.#host.ledger, initial.value, edge.wire.from.node, { key: 'initial' }, []))
    }
  }

  /** Asks each operator for its streams, as long as all goes well. */
  wire(services: Services, isWell: () => boolean): void {
    for (const node of this.nodes) {
      if (!isWell()) return
      const { context, concurrency } = nodeContext(node, node.planned, services)
      node.wire(context, concurrency, EMPTY)
    }
  }

  wake(): void {
    for (const node of this.nodes) node.wake()
  }

  /** Ends the sources as if they had no more. */
  stopSources(): void {
    for (const node of this.nodes) if (node.stop()) this.#isCut = true
  }

  /** A source was stopped that had not ended by itself. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** Releases items that wait for partners which can no longer arrive; returns whether there were any. */
  shedPartnerless(): boolean {
    return shedPartnerless(this.nodes, this.edges)
  }

  /** Lets items and changes through that wait for what cannot come, when nothing else can happen; returns whether any may go on. */
  letThrough(): boolean {
    // a copy is work: it wakes its node when it has ended
    if (this.nodes.some(({ planned }) => planned.copier?.busy)) return true
    if (this.nodes.filter(node => node.forceTurn()).length > 0) return true
    const loosened = this.#gates().filter(({ node, gate }) => node.isRunning && gate.loosen())
    for (const { node } of loosened) node.wake()
    return loosened.length > 0
  }

  /** A checkpoint was taken: a run that goes on from it begins here. */
  resetGates(): void {
    for (const { gate } of this.#gates()) gate.reset()
  }

  #gates() {
    return this.nodes.flatMap(node => node.inputs.flatMap(({ gates }) => gates.map(gate => ({ node, gate }))))
  }

  /** The run is over: frees what waits and what RxJS holds. */
  cancel(): void {
    for (const edge of this.edges) edge.cancel()
    for (const node of this.nodes) node.finish()
    this.#look()
  }

  /** A node has ended. */
  ended(): void {
    this.#look()
  }

  /**
   * Waits until each node has ended; from the moment that `failed` says so for no longer than a number of seconds. What
   * goes on working then is named, and its items are freed under it.
   */
  async allEnded(failed: () => boolean, seconds = 10): Promise<void> {
    const waiting = () => this.nodes.filter(node => node.state !== 'ended')
    let deadline: NodeJS.Timeout | undefined
    let late = false
    // no timer, file or other work is left in the process: what goes on now never ends
    const idle = () => {
      if (!this.#host.idle()) return
      late = true
      this.#look()
    }
    const stopListening = processes.onIdle(idle)
    while (waiting().length > 0 && !late) {
      if (failed()) {
        deadline ??= setTimeout(() => {
          late = true
          this.#look()
        }, seconds * 1000)
      }
      await new Promise<void>(resolve => {
        this.#look = resolve
      })
    }
    clearTimeout(deadline)
    stopListening()
    for (const node of waiting()) {
      const message = `node "${node.name}" did not stop when the run ended`
      this.#host.fail(new RunError('did-not-stop', message, { node: node.name }))
      node.releaseAll()
    }
    for (const edge of this.edges) edge.cancel()
  }
}

/** Tells each edge which feedback edges nothing on it can reach any more: their gates must not wait for its items. */
function endTickets(edges: readonly Edge[], nodes: Plan['nodes']): void {
  const gating = edges.filter(({ wire }) => wire.maxLag !== undefined)
  if (gating.length === 0) return
  const before = nodesBefore(nodes, new Set(gating.map(({ wire }) => wire.from.node)))
  for (const edge of edges) {
    const leads = (to: Edge) =>
      edge === to || (!edge.feedback && before.get(to.wire.from.node)?.has(edge.consumer))
    edge.outside = new Set(gating.filter(to => !leads(to)))
  }
}

const edgeTo = (node: PlannedNode, wire: Wire) =>
  [wire, new Edge(`${endName(wire.from)} → ${node.name}.${wire.port}`, wire, node.name)] as const
