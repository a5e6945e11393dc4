import { Subscriber, type Subscription } from 'rxjs'
import type { PlannedNode } from '../../graph/plan.ts'
import type { Item, Streams } from '../../operator.ts'
import { pathHere } from '../../shared/path-here.ts'
import { RunError } from '../error.ts'
import type { Holder } from '../items/lease.ts'
import { Lease, leaseOf } from '../items/lease.ts'
import type { Edge } from './edge.ts'
import type { Waiter } from './host.ts'

/** What the way out of a node asks of the node. */
export interface OutletHost extends Holder {
  readonly planned: Pick<PlannedNode, 'plugin'>
  readonly isRunning: boolean
  /** The run must end with this error, which is of this item. */
  fail(error: unknown, item?: Lease): void
  /** All streams have completed. */
  finish(): void
}

/** The way out of a node: listens to the operator's streams and puts what they emit on the edges. */
export class Outlet {
  readonly edges: readonly Edge[]
  readonly #ports: ReadonlyMap<string, readonly Edge[]>
  readonly #host: OutletHost
  readonly #subscriptions: Subscription[] = []
  readonly #waiters = new Set<Waiter>()
  #open = 0

  constructor(ports: readonly string[], edges: readonly Edge[], host: OutletHost) {
    this.edges = edges
    this.#ports = new Map(ports.map(port => [port, edges.filter(edge => edge.wire.from.port === port)]))
    this.#host = host
  }

  subscribe(streams: Streams): void {
    const wired = Object.entries(streams)
    if (wired.length === 0)
      throw new RunError('operator-misused', 'must return a stream for the engine to subscribe to')
    for (const port of this.#ports.keys()) {
      if (!(port in streams))
        throw new RunError('operator-misused', `must return a stream for the output "${port}"`)
    }
    this.#open = wired.length
    for (const [port, stream] of wired) {
      const edges = this.#ports.get(port)
      const subscription = stream.subscribe(new Listener(port, edges, this.#host, this.#completed))
      this.#subscriptions.push(subscription)
      if (!this.#host.isRunning) subscription.unsubscribe()
    }
  }

  unsubscribe(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }

  /** No more items will come: edges still deliver those that wait. */
  close(): void {
    for (const edge of this.edges) edge.close()
  }

  /** Every output is connected, and every consumer has stopped listening. */
  get unwanted(): boolean {
    for (const edge of this.edges) {
      if (!edge.cancelled || edge.feedback) return false
    }
    return this.edges.length > 0 && [...this.#ports.values()].every(edges => edges.length > 0)
  }

  hasRoom(bytes: number): boolean {
    for (const edge of this.edges) if (!edge.hasRoom(bytes)) return false
    return true
  }

  whenRoom(waiter: Waiter): void {
    this.#waiters.add(waiter)
  }

  /** Calls the waiters when there may be room. */
  callWaiters(): void {
    if (this.#waiters.size === 0 || !this.hasRoom(0)) return
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const waiter of waiters) waiter()
  }

  readonly #completed = (): void => {
    if (--this.#open === 0) this.#host.finish()
  }
}

/** Listens to one of the operator's streams. Every fault is caught: an error is a value. */
class Listener extends Subscriber<Item> {
  readonly #port: string
  /** Undefined for a stream that is not an output. */
  readonly #edges: readonly Edge[] | undefined
  readonly #host: OutletHost
  readonly #completed: () => void
  #isComplete = false

  constructor(port: string, edges: readonly Edge[] | undefined, host: OutletHost, completed: () => void) {
    super()
    this.#port = port
    this.#edges = edges
    this.#host = host
    this.#completed = completed
  }

  override next(item: Item): void {
    if (this.#isComplete) this.#late(item)
    else super.next(item)
  }

  protected override _next(item: Item): void {
    try {
      this.#put(leaseOf(item))
    } catch (error) {
      this.#host.fail(error)
    }
  }

  protected override _error(error: unknown): void {
    this.#host.fail(error)
    this.unsubscribe()
  }

  protected override _complete(): void {
    this.#isComplete = true
    this.#completed()
    this.unsubscribe()
  }

  #put(lease: Lease): void {
    const edges = this.#edges
    if (!edges) {
      const rule = `must emit nothing on "${this.#port}", which is not one of its outputs`
      throw new RunError('operator-misused', rule)
    }
    if (!lease.open) throw lease.misuse('emitted')
    if (lease.holder !== this.#host) {
      const rule = `emitted item "${lease.key}", which another node holds`
      throw new RunError('operator-misused', rule, {
        remedy: 'it must emit only items that it was given or made',
      })
    }
    if (!this.#isOfKind(lease)) return
    const own = lease.handOver()
    const [first] = edges
    if (first && edges.length === 1) {
      const fault = first.put(own)
      if (fault) throw fault
      return
    }
    if (edges.length === 0) own.release()
    // every copy gets an owner before the first edge may complain
    const copies = edges.map(edge => ({ edge, copy: edge === first ? own : own.fork() }))
    const faults = copies.flatMap(({ edge, copy }) => edge.put(copy) ?? [])
    if (faults[0]) throw faults[0]
  }

  /** What a plugin emits ends the run if it is not of the kind of the output, whatever the nodes after it may skip. */
  #isOfKind(lease: Lease): boolean {
    const { plugin } = this.#host.planned
    const fault = plugin?.emits[this.#port]?.(lease.value)
    if (!plugin || fault === undefined) return true
    const remedy = `mend the operator, in ${pathHere(decodeURIComponent(new URL(plugin.module).pathname))}`
    const rule = `what it emits on "${this.#port}" ${fault}`
    this.#host.fail(new RunError('operator-misused', rule, { remedy }), lease)
    return false
  }

  /** An item that came after the end of its stream would vanish. */
  #late(item: unknown): void {
    const key = item instanceof Lease ? `item "${item.key}"` : 'something'
    const rule = `emitted ${key} on "${this.#port}" after that stream had completed`
    this.#host.fail(new RunError('operator-misused', rule, { remedy: 'it must complete a stream last' }))
  }
}
