import { Observable, type Subscriber } from 'rxjs'
import type { Item } from '../../operator.ts'
import type { Holder, Lease, Leaver } from '../items/lease.ts'
import type { Edge } from './edge.ts'
import type { Gate } from './gate.ts'

/** The node, as its inputs see it. */
export interface InputHost extends Holder {
  readonly credits: number
  wake(): void
  /** Whether the node may be given one more item while it holds this number of the same input. */
  mayTake(outstanding: number): boolean
  /** An item was handed over. */
  taken(): void
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
  /** Gates of feedback edges: they limit how far this input may run ahead of the loop. */
  gates: readonly Gate[] = []
  readonly #host: InputHost
  /** Replaced, never changed: a subscriber may leave while an item is handed over. */
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

  /** No more items can come from outside its cycle. */
  get done(): boolean {
    return this.edges.every(edge => edge.done || edge.feedback)
  }

  get waiting(): boolean {
    return this.#subscribed && !this.#completed
  }

  /** An item waits to be handed over, or its end would let the operator work on what it holds. */
  get mayChange(): boolean {
    if (this.latest || !this.waiting) return false
    return this.edges.some(edge => edge.size > 0) || (this.#outstanding > 0 && this.#over())
  }

  get outstanding(): number {
    return this.#outstanding
  }

  /** The newest item, with `keep: latest`. */
  get latestItem(): Lease | undefined {
    return this.#current?.open ? this.#current : undefined
  }

  /** The latest value has arrived, or never will. */
  get ready(): boolean {
    return this.#current !== undefined || this.edges.every(edge => edge.done)
  }

  /** Hands over one item if one waits and may pass; returns whether it did. */
  deliver(): boolean {
    if (this.#completed || this.#subscribers.length === 0 || this.#outstanding >= this.#host.credits)
      return false
    if (!this.#host.mayTake(this.#outstanding)) return false
    for (const gate of this.gates) if (!gate.open) return false
    for (let count = this.edges.length; count > 0; count--) {
      const edge = this.edges[this.turn]
      if (++this.turn >= this.edges.length) this.turn = 0
      const lease = edge?.take()
      if (!edge || !lease) continue
      this.#host.taken()
      this.#hand(this.#pass(lease))
      edge.answer()
      return true
    }
    return false
  }

  /** Replaces the latest value by a newer one that has arrived. */
  refresh(): void {
    const [edge] = this.edges
    const lease = edge?.take()
    if (!edge || !lease) return
    const old = this.#current
    this.#current = lease.moveTo(this.#host)
    for (const subscriber of this.#subscribers) subscriber.next(lease)
    if (old?.open) old.release()
    edge.answer()
  }

  /** Completes the stream when no more items can come. */
  settle(driversDone: boolean): void {
    if (this.#completed || (!this.latest && !this.#subscribed)) return
    if (!this.#over() && !(this.latest && driversDone)) return
    // its end may let the operator work on what it holds
    if (this.#outstanding > 0 && !this.#host.mayTake(Number.POSITIVE_INFINITY)) return
    this.#completed = true
    for (const edge of this.edges) edge.cancel()
    for (const subscriber of this.#subscribers) subscriber.complete()
  }

  /** Called when no subscriber is left: edges release waiting items and tell their producers. */
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

  /** The item with one more trace for each gate that it passes. */
  #pass(lease: Lease): Lease {
    if (this.gates.length === 0) return lease
    const passed = lease.fork([...lease.traces, ...this.gates.map(gate => gate.ticket())])
    lease.release()
    return passed
  }

  #hand(lease: Lease): void {
    const subscribers = this.#subscribers
    const [first] = subscribers
    this.#outstanding++
    if (first && subscribers.length === 1) {
      lease.moveTo(this.#host, this)
      this.#handing = true
      first.next(lease)
      this.#handing = false
      return
    }
    const copies = subscribers.map(subscriber => ({
      subscriber,
      lease: subscriber === first ? lease : lease.fork(),
    }))
    let left = copies.length
    const leaver = {
      left: () => {
        if (--left === 0) this.left()
      },
    }
    for (const { lease } of copies) lease.moveTo(this.#host, leaver)
    for (const { subscriber, lease } of copies) subscriber.next(lease)
  }

  /** An item that was handed over has left the node. */
  left(): void {
    this.#outstanding--
    // no need to wake the node while it is handing an item over: it looks for the next one afterwards
    if (!this.#handing) this.#host.wake()
  }

  #over(): boolean {
    for (const edge of this.edges) if (!edge.done) return false
    return true
  }
}
