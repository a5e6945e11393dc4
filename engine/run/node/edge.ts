import type { Wire } from '../../graph/flatten/flat.ts'
import { RunError } from '../error.ts'
import type { Lease } from '../items/lease.ts'
import { Queue } from '../items/queue.ts'
import { Trace } from '../items/trace.ts'

/** Follows one item that passed a gate: it settles when the gate's feedback edge has answered the item. */
export class Ticket extends Trace {
  readonly edge: Edge
  /** The value of the feedback edge that the item is to be worked on with. */
  readonly pinned: unknown
  /** The value that answered it; undefined as long as none has, and when the item was dropped. */
  answer: { value: unknown } | undefined
  done = false
  readonly #answered: (ticket: Ticket) => void

  constructor(edge: Edge, pinned: unknown, answered: (ticket: Ticket) => void) {
    super()
    this.edge = edge
    this.pinned = pinned
    this.#answered = answered
  }

  protected override onSettle(): void {
    this.#answered(this)
  }
}

/** Counts the items that still work with what a node last changed in place. */
export class Reader extends Trace {
  readonly #onSettle: () => void

  constructor(onSettle: () => void) {
    super()
    this.#onSettle = onSettle
  }

  protected override onSettle(): void {
    this.#onSettle()
  }
}

/** Plain RxJS does not ask for room: it may put this number of items on an edge that is full. */
const mostBeyondCapacity = 10_000

/** A queue from an output to an input, bounded in items and bytes. It owns the items that wait on it. */
export class Edge {
  readonly name: string
  readonly consumer: string
  /** The input that it leads to, as node.port. */
  readonly end: string
  readonly wire: Wire
  /** It starts with a value, so that a cycle may run through it. */
  readonly feedback: boolean
  readonly latest: boolean
  /** Called when an item has arrived or the edge has closed. */
  onItem: () => void = () => {}
  /** Called when a refused producer may try again, or when the consumer has stopped listening. */
  onRoom: () => void = () => {}
  dropped = 0
  /** Items that were put on it, and taken from it. */
  passed = 0
  taken = 0
  /** Sees every item that is put on the edge while `flow tap` asks for it. */
  tap: ((item: Lease) => void) | undefined
  /** Feedback edges that its items cannot reach: an item on it is no longer on its way to answer them. */
  outside: ReadonlySet<Edge> = new Set()
  /** Follows what is put on it, where its producer must wait for those who work with it. */
  reader: (() => Reader) | undefined
  /** The value that a feedback edge starts with. */
  first: unknown
  /** Of a feedback edge: what was put on it last, also when its consumer had ended. */
  last: { readonly value: unknown } | undefined
  /** When it is full its producer waits. */
  readonly #blocks: boolean
  readonly #queue = new Queue<Lease>()
  #bytes = 0
  #tickets: Ticket[] = []
  #closed = false
  #cancelled = false
  #refused = false

  /** `consumer` is the name of the node that it leads to. */
  constructor(name: string, wire: Wire, consumer = '') {
    this.name = name
    this.consumer = consumer
    this.end = `${consumer}.${wire.port}`
    this.wire = wire
    this.feedback = wire.initial !== undefined
    this.latest = wire.keep === 'latest'
    this.#blocks = !this.latest && wire.whenFull === 'block'
  }

  get size(): number {
    return this.#queue.size
  }

  /** The items that wait on it. */
  get leases(): readonly Lease[] {
    return this.#queue.all
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Nothing will come any more. */
  get done(): boolean {
    return this.#cancelled || (this.#closed && this.size === 0)
  }

  get cancelled(): boolean {
    return this.#cancelled
  }

  /** Whether an item of this size may be put. An empty edge takes one of any size. */
  hasRoom(bytes = 0): boolean {
    if (!this.#blocks || this.#cancelled) return true
    const fits = this.#fits(bytes)
    if (!fits) this.#refused = true
    return fits
  }

  /** Its producer must wait. */
  get full(): boolean {
    return this.#blocks && !this.#cancelled && !this.#fits(0)
  }

  /**
   * Becomes the owner of an item. When it is full it obeys `whenFull`; with `block` producers ask `hasRoom` first.
   * Returns the error that ends the run when `whenFull` is `error`, and when an operator does not wait at all.
   */
  put(item: Lease): RunError | undefined {
    if (this.feedback) this.last = { value: item.value }
    if (this.#cancelled || this.#closed) {
      item.release()
      return undefined
    }
    const lease = this.#traced(item)
    if (this.latest) this.#dropAll()
    else if (!this.#fits(lease.bytes) && this.wire.whenFull === 'error') {
      lease.release()
      const limit = `${this.wire.capacity.items} items or ${this.wire.capacity.bytes} bytes`
      return new RunError('edge-full', `edge ${this.name} is full (${limit}) and its "whenFull" is "error"`)
    } else if (this.wire.whenFull === 'drop-oldest') this.#makeRoom(lease)
    else if (this.size >= this.wire.capacity.items + mostBeyondCapacity) {
      lease.release()
      return this.#flooded()
    }
    this.passed++
    this.tap?.(lease)
    this.#queue.push(lease)
    this.#bytes += lease.bytes
    this.onItem()
    return undefined
  }

  take(): Lease | undefined {
    const lease = this.#shift()
    if (lease) this.taken++
    if (this.#refused) {
      this.#refused = false
      this.onRoom()
    }
    return lease
  }

  /** The feedback items have been delivered, so the work they acknowledge is done. */
  answer(): void {
    if (this.#tickets.length > 0) for (const ticket of this.#tickets.splice(0)) ticket.settle()
  }

  /** The producer has ended: waiting items are still delivered. */
  close(): void {
    this.#closed = true
    this.onItem()
  }

  /** The consumer or the run has ended: waiting items are released, and so are those put later. */
  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    for (let lease = this.#shift(); lease; lease = this.#shift()) lease.release()
    this.#tickets = []
    this.onRoom()
  }

  #shift(): Lease | undefined {
    const lease = this.#queue.shift()
    if (lease) this.#bytes -= lease.bytes
    return lease
  }

  #traced(item: Lease): Lease {
    if (this.feedback) return this.#endAncestry(item)
    const lease = this.outside.size > 0 ? this.#leaveCycles(item) : item
    if (!this.reader) return lease
    const followed = lease.fork([...lease.traces, this.reader()])
    lease.release()
    return followed
  }

  /** Ancestry stops at a feedback edge; otherwise each item would descend from every earlier one. */
  #endAncestry(item: Lease): Lease {
    for (const trace of item.traces) {
      if (!(trace instanceof Ticket) || trace.edge !== this) continue
      trace.answer = { value: item.value }
      this.#tickets.push(trace)
    }
    const lease = item.fork([])
    item.release()
    return lease
  }

  /** Outside the cycle an item may wait for others, e.g. in a batch: the gate of the cycle must not wait for it. */
  #leaveCycles(item: Lease): Lease {
    const isInside = (trace: Trace) => !(trace instanceof Ticket && this.outside.has(trace.edge))
    if (item.traces.every(isInside)) return item
    const lease = item.fork(item.traces.filter(isInside))
    item.release()
    return lease
  }

  #dropAll(): void {
    for (let old = this.#shift(); old; old = this.#shift()) old.release()
  }

  #fits(bytes: number): boolean {
    const { size } = this
    const { capacity } = this.wire
    if (size === 0) return true
    return size < capacity.items && this.#bytes < capacity.bytes && this.#bytes + bytes <= capacity.bytes
  }

  #flooded(): RunError {
    const { items } = this.wire.capacity
    const found = `put ${this.size + 1} items on edge ${this.name} (capacity ${items}) without waiting for room`
    return new RunError('edge-full', found, {
      remedy: 'it must return them from `each` or `source`, which wait',
    })
  }

  #makeRoom(lease: Lease): void {
    while (!this.#fits(lease.bytes)) {
      this.#shift()?.release()
      this.dropped++
    }
  }
}
