import { Observable, type Subscriber } from 'rxjs'
import type { Item } from '../operator.ts'
import { type Edge, Ticket } from './edge.ts'
import type { Holder, Lease } from './ledger.ts'

/** What an input asks of the node around it. */
export interface InputHost extends Holder {
  readonly credits: number
  wake(): void
}

/**
 * One input port: takes items from its edges and hands them to the operator's stream, at most `credits` of them
 * unreleased. Every subscriber gets its own lease. With `keep: latest` the engine holds the newest item itself.
 */
export class Input {
  readonly port: string
  readonly edges: readonly Edge[]
  readonly stream: Observable<Item>
  /** Feedback edges beside this input that limit how far it may run ahead. */
  gates: readonly Gate[] = []
  readonly #host: InputHost
  readonly #subscribers = new Set<Subscriber<Item>>()
  #subscribed = false
  #completed = false
  #current: Lease | undefined
  #outstanding = 0
  #next = 0

  constructor(port: string, edges: readonly Edge[], host: InputHost) {
    this.port = port
    this.edges = edges
    this.#host = host
    this.stream = new Observable(subscriber => this.#subscribe(subscriber))
  }

  get latest(): boolean {
    return this.edges.some(edge => edge.latest)
  }

  get completed(): boolean {
    return this.#completed
  }

  /** Everything that comes from outside its cycle has come. */
  get done(): boolean {
    return this.edges.every(edge => edge.done || edge.feedback)
  }

  get waiting(): boolean {
    return this.#subscribed && !this.#completed
  }

  get outstanding(): number {
    return this.#outstanding
  }

  /** The newest item, with `keep: latest`. */
  get latestItem(): Lease | undefined {
    return this.#current?.open ? this.#current : undefined
  }

  /** A latest value is there, or will never be. */
  get ready(): boolean {
    return this.#current !== undefined || this.edges.every(edge => edge.done)
  }

  /** Hands over one item if there is one and it may; tells whether it did. */
  deliver(): boolean {
    if (this.#completed || this.#subscribers.size === 0 || this.#outstanding >= this.#host.credits)
      return false
    if (this.gates.some(gate => !gate.open)) return false
    for (let i = 0; i < this.edges.length; i++) {
      const edge = this.edges[(this.#next + i) % this.edges.length]
      const lease = edge.take()
      if (!lease) continue
      this.#next = (this.#next + i + 1) % this.edges.length
      this.#hand(this.#pass(lease))
      edge.answer()
      return true
    }
    return false
  }

  /** Replaces the latest value when a newer one has come. */
  refresh(): void {
    const [edge] = this.edges
    const lease = edge.take()
    if (!lease) return
    const old = this.#current
    this.#current = lease.moveTo(this.#host)
    for (const subscriber of [...this.#subscribers]) subscriber.next(lease)
    if (old?.open) old.release()
    edge.answer()
  }

  /** Completes the stream when nothing more can come. */
  settle(driversDone: boolean): void {
    const over = this.edges.every(edge => edge.done) || (this.latest && driversDone)
    if (!over || this.#completed || (!this.latest && !this.#subscribed)) return
    this.#completed = true
    for (const edge of this.edges) edge.cancel()
    for (const subscriber of [...this.#subscribers]) subscriber.complete()
  }

  /** Nobody listens any more: edges release what waits, and their producers learn of it. */
  cancel(): void {
    this.#completed = true
    for (const edge of this.edges) edge.cancel()
  }

  #subscribe(subscriber: Subscriber<Item>): () => void {
    this.#subscribed = true
    this.#subscribers.add(subscriber)
    if (this.#current?.open) subscriber.next(this.#current)
    if (this.#completed) subscriber.complete()
    this.#host.wake()
    return () => {
      this.#subscribers.delete(subscriber)
      // an operator may subscribe anew in the same turn
      queueMicrotask(() => {
        if (this.#subscribers.size === 0 && !this.latest) this.cancel()
      })
    }
  }

  /** The item under one more trace for each gate that it passes. */
  #pass(lease: Lease): Lease {
    if (this.gates.length === 0) return lease
    const passed = lease.fork([...lease.traces, ...this.gates.map(gate => gate.ticket())])
    lease.release()
    return passed
  }

  #hand(lease: Lease): void {
    const subscribers = [...this.#subscribers]
    const leases = subscribers.map((_, i) => (i === 0 ? lease : lease.fork()))
    let left = leases.length
    this.#outstanding++
    const onLeave = () => {
      if (--left > 0) return
      this.#outstanding--
      this.#host.wake()
    }
    for (const one of leases) one.moveTo(this.#host, onLeave)
    for (const [i, subscriber] of subscribers.entries()) subscriber.next(leases[i])
  }
}

/** Holds an input back until the feedback edge beside it has answered all but `maxLag` of what was handed over. */
export class Gate {
  readonly edge: Edge
  readonly #maxLag: number
  readonly #onSettle: () => void
  #unanswered = 0

  constructor(edge: Edge, maxLag: number, onSettle: () => void) {
    this.edge = edge
    this.#maxLag = maxLag
    this.#onSettle = onSettle
  }

  get open(): boolean {
    return this.#unanswered <= this.#maxLag
  }

  ticket(): Ticket {
    this.#unanswered++
    return new Ticket(this.edge, () => {
      this.#unanswered--
      this.#onSettle()
    })
  }
}
