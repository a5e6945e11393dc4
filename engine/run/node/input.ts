import { Observable, type Subscriber } from 'rxjs'
import type { Item } from '../../operator.ts'
import type { Holder, Lease, Leaver } from '../items/lease.ts'
import { type Edge, Ticket } from './edge.ts'

/** What an input asks of the node around it. */
export interface InputHost extends Holder {
  readonly credits: number
  wake(): void
}

/**
 * One input port: takes items from its edges and hands them to the operator's stream, at most `credits` of them
 * unreleased. Every subscriber gets its own lease. With `keep: latest` the engine holds the newest item itself.
 */
export class Input implements Leaver {
  readonly port: string
  readonly latest: boolean
  readonly edges: readonly Edge[]
  readonly stream: Observable<Item>
  /** Index of the edge that is asked first for the next item: edges take turns. */
  turn = 0
  /** Feedback edges beside this input that limit how far it may run ahead. */
  gates: readonly Gate[] = []
  readonly #host: InputHost
  /** Replaced, never changed: one may leave while an item is handed over. */
  #subscribers: readonly Subscriber<Item>[] = []
  #subscribed = false
  #completed = false
  #current: Lease | undefined
  #outstanding = 0
  #handing = false

  constructor(port: string, edges: readonly Edge[], host: InputHost) {
    this.port = port
    this.edges = edges
    this.latest = edges.some(edge => edge.latest)
    this.#host = host
    this.stream = new Observable(subscriber => this.#subscribe(subscriber))
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
    if (this.#completed || this.#subscribers.length === 0 || this.#outstanding >= this.#host.credits)
      return false
    for (let i = 0; i < this.gates.length; i++) if (!this.gates[i].open) return false
    for (let i = 0; i < this.edges.length; i++) {
      const edge = this.edges[this.turn]
      if (++this.turn === this.edges.length) this.turn = 0
      const lease = edge.take()
      if (!lease) continue
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
    for (const subscriber of this.#subscribers) subscriber.next(lease)
    if (old?.open) old.release()
    edge.answer()
  }

  /** Completes the stream when nothing more can come. */
  settle(driversDone: boolean): void {
    if (this.#completed || (!this.latest && !this.#subscribed)) return
    if (!this.#over() && !(this.latest && driversDone)) return
    this.#completed = true
    for (const edge of this.edges) edge.cancel()
    for (const subscriber of this.#subscribers) subscriber.complete()
  }

  /** Nobody listens any more: edges release what waits, and their producers learn of it. */
  cancel(): void {
    this.#completed = true
    for (const edge of this.edges) edge.cancel()
  }

  #subscribe(subscriber: Subscriber<Item>): () => void {
    this.#subscribed = true
    this.#subscribers = [...this.#subscribers, subscriber]
    if (this.#current?.open) subscriber.next(this.#current)
    if (this.#completed) subscriber.complete()
    this.#host.wake()
    return () => {
      this.#subscribers = this.#subscribers.filter(other => other !== subscriber)
      // an operator may subscribe anew in the same turn
      queueMicrotask(() => {
        if (this.#subscribers.length === 0 && !this.latest) this.cancel()
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
    const subscribers = this.#subscribers
    this.#outstanding++
    if (subscribers.length === 1) {
      lease.moveTo(this.#host, this)
      this.#handing = true
      subscribers[0].next(lease)
      this.#handing = false
      return
    }
    const leases = subscribers.map((_, i) => (i === 0 ? lease : lease.fork()))
    let left = leases.length
    const leaver = {
      left: () => {
        if (--left === 0) this.left()
      },
    }
    for (const one of leases) one.moveTo(this.#host, leaver)
    for (const [i, subscriber] of subscribers.entries()) subscriber.next(leases[i])
  }

  /** An item that was handed over has left the node. */
  left(): void {
    this.#outstanding--
    // one that leaves while it is handed over leaves to the node, which looks for the next one anyway
    if (!this.#handing) this.#host.wake()
  }

  #over(): boolean {
    for (let i = 0; i < this.edges.length; i++) if (!this.edges[i].done) return false
    return true
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
