import type { JsMsg } from '@nats-io/jetstream'
import type { Item } from '../operator.ts'
import type { RunError } from '../run/error.ts'
import { leaseOf } from '../run/items/lease.ts'
import { type Call, Origin, type Skipped } from '../run/items/trace.ts'
import type { Packed } from '../wire-form.ts'
import { seconds } from './copies.ts'
import type { Order, Outcome, Reply } from './names.ts'
import type { decodeOrder, encodeReply } from './packing.ts'

interface CallOptions {
  readonly message: JsMsg
  readonly leaseSeconds: number
  readonly worker: string
  send(order: Order, reply: Parameters<typeof encodeReply>): Promise<void>
  /** Nothing of it is worked on any more. */
  settled(call: WorkerCall): void
  /** Its reply is with the server, or another worker may have it. */
  over(call: WorkerCall): void
}

/** An order in the hands of a worker: its lease is kept by heartbeats until the reply is with the server. */
export class WorkerCall implements Call {
  readonly order: Order
  readonly packed: Packed
  /** What came of it, in order. */
  readonly outcomes: Outcome[] = []
  isSettled = false
  /** Settles when the reply is with the server. */
  sent: Promise<void> = Promise.resolve()
  readonly #options: CallOptions
  readonly #beat: NodeJS.Timeout
  readonly #begun = performance.now()
  readonly #steps: string[] = []

  constructor({ order, packed }: ReturnType<typeof decodeOrder>, options: CallOptions) {
    this.order = order
    this.packed = packed
    this.#options = options
    this.#beat = setInterval(() => options.message.working(), (options.leaseSeconds * 1000) / 3)
  }

  /** How often the item was given to a worker, this time included. */
  get tries(): number {
    return this.#options.message.info.deliveryCount
  }

  /** Notes when it came to a step, for the log. */
  note(step: string): void {
    this.#steps.push(`${step} after ${seconds(this.#begun)} s`)
  }

  /** Since it arrived. */
  get milliseconds(): number {
    return performance.now() - this.#begun
  }

  /** Its way through the worker. */
  get way(): string {
    return `order ${this.order.id}: ${this.#steps.join(', ')}`
  }

  settled(faults: readonly Skipped[], isLeft: boolean): void {
    this.#finish({ faults, isLeft }, this.outcomes)
  }

  /** The home part ends the run with this error. */
  fail({ code, message }: RunError): void {
    if (!this.isSettled) this.#finish({ faults: [], isLeft: false, error: { code, message } }, [])
  }

  /** Another worker may have it at once. */
  giveBack(): void {
    if (this.isSettled) return
    this.isSettled = true
    this.#options.settled(this)
    clearInterval(this.#beat)
    this.#options.message.nak()
    this.#options.over(this)
  }

  #finish(reply: Pick<Reply, 'faults' | 'isLeft' | 'error'>, outcomes: readonly Outcome[]): void {
    const { send, worker, message, settled, over } = this.#options
    this.isSettled = true
    this.note('done')
    settled(this)
    this.sent = send(this.order, [{ id: this.order.id, worker, ...reply }, outcomes])
      .then(() => message.ack())
      .finally(() => {
        clearInterval(this.#beat)
        this.note('answered')
        over(this)
      })
    this.sent.catch(() => {}) // without a server nobody waits for it
  }
}

/** The order that an item came of. */
export function callOf(item: Item): WorkerCall {
  const { traces } = leaseOf(item)
  for (const trace of traces)
    if (trace instanceof Origin && trace.call instanceof WorkerCall) return trace.call
  throw new Error(`${item.key}: must have come of an order`)
}
