// Where orders wait until the resources of a worker have the version that they are pinned to, e.g. of weights. What comes before
// the gate is done for the next orders while the nodes after it still work on the last ones.
import { filter, share } from 'rxjs'
import type { Context, Item, Stream, Streams } from '../operator.ts'
import type { Pulled } from '../run/node/source.ts'
import type { Bell } from '../shared/bell.ts'
import type { Order, Version } from './names.ts'
import { callOf } from './worker-call.ts'

/** An order, as the gate sees it. */
export interface Pinned {
  readonly order: Pick<Order, 'latest'>
}

export interface GateOptions {
  /** Inputs of the part that are told of versions. */
  readonly inputs: readonly { readonly end: string }[]
  /** Items that may wait. */
  readonly waiting: number
  /** Brings the resources to a version. */
  apply(version: Version, signal: AbortSignal): Promise<void>
  /** Begins what a reply will need of a value that passed; what it returns is called when nothing here needs the value. */
  begin(value: unknown, context: Context): (() => void) | undefined
  /** No order will come to the gate any more. */
  isOver(): boolean
  /** Rung when something changes. */
  readonly bell: Bell
}

/** What an input is told. */
interface Telling {
  readonly end: string
  readonly value: unknown
}

export class VersionGate {
  readonly #options: GateOptions
  /** Orders that passed and are still worked on: all are pinned to the version that the resources have. */
  readonly #inside = new Set<Pinned>()
  /** What the nodes are still to be told. */
  #tellings: Telling[] = []
  #version: string | undefined
  #count = 0
  /** Ends when the order before has passed. */
  #before: Promise<unknown> = Promise.resolve()

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** The values of the inputs that the resources are at, as JSON. */
  get version(): string | undefined {
    return this.#version
  }

  /** Items go on, in order, when the resources have their version. */
  holdBack(items: Stream, context: Context): Streams {
    const pass = async (value: unknown, item: Item) => {
      const call = callOf(item)
      call.note('prepared')
      await this.pass(call, context.signal)
      call.note('passed')
      // not before: it would hold up the version
      const dispose = this.#options.begin(value, context)
      return context.emit(value, { ...(dispose && { dispose }) })
    }
    return { items: items.pipe(context.each(pass, { concurrency: this.#options.waiting })) }
  }

  /** Ends when the order may go on, after those that came before it. */
  pass(call: Pinned, signal: AbortSignal): Promise<void> {
    const passed = this.#before.then(() => this.#pass(call, signal))
    this.#before = passed.catch(() => {}) // the one that waits for it is told
    return passed
  }

  async #pass(call: Pinned, signal: AbortSignal): Promise<void> {
    const { bell } = this.#options
    const latest = Object.entries(call.order.latest)
    const version = JSON.stringify(latest.map(([, { value }]) => value))
    if (version !== this.#version) {
      await bell.until(() => this.#inside.size === 0 || signal.aborted)
      signal.throwIfAborted()
      for (const [, { version }] of latest) if (version) await this.#options.apply(version, signal)
      this.#tellings = latest.flatMap(([end, { value }]) => (value === undefined ? [] : [{ end, value }]))
      bell.ring()
      await bell.until(() => this.#tellings.length === 0 || signal.aborted)
      this.#version = version
    }
    this.#inside.add(call)
  }

  /** Nothing of an order is worked on any more. */
  leave(call: Pinned): void {
    this.#inside.delete(call)
    this.#options.bell.ring()
  }

  /**
   * The streams that tell the inputs of versions. They belong to a node of their own: full edges of items must not hold them
   * up.
   */
  versions(context: Context): Streams {
    const all = context.source(() => this.#told(context.signal)).pipe(share())
    const streams = this.#options.inputs.map(({ end }) => [
      end,
      all.pipe(
        filter(({ value }: Item<Telling>) => value.end === end),
        context.each(({ value }: Telling) => value),
      ),
    ])
    return Object.fromEntries(streams)
  }

  async *#told(signal: AbortSignal): AsyncGenerator<Pulled<Telling>> {
    const { bell, isOver } = this.#options
    for (;;) {
      await bell.until(() => this.#tellings.length > 0 || isOver() || signal.aborted)
      const [telling, ...others] = this.#tellings
      if (!telling) return
      yield { key: `version ${++this.#count}`, value: telling }
      // it has been emitted when the next one is asked for
      this.#tellings = others
      bell.ring()
    }
  }
}
