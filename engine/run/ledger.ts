import type { DeriveOptions, Item } from '../operator.ts'
import { RunError } from './error.ts'
import { seedOf } from './seed.ts'

/** Counts everything that is alive in a run. At its end all counts of living things must be zero. */
export class Ledger {
  readonly runSeed: number
  /** Values that are held by at least one lease. */
  live = 0
  bytes = 0
  made = 0
  peakLive = 0
  peakBytes = 0
  readonly #onDisposeError: (error: unknown) => void

  constructor(runSeed: number, onDisposeError: (error: unknown) => void) {
    this.runSeed = runSeed
    this.#onDisposeError = onDisposeError
  }

  opened(bytes: number): void {
    this.made++
    this.live++
    this.bytes += bytes
    this.peakLive = Math.max(this.peakLive, this.live)
    this.peakBytes = Math.max(this.peakBytes, this.bytes)
  }

  closed(bytes: number, dispose: (() => void) | undefined): void {
    this.live--
    this.bytes -= bytes
    try {
      dispose?.()
    } catch (error) {
      this.#onDisposeError(error)
    }
  }
}

/** Follows an item and all that descends from it: settles once, when the last lease of them is released. */
export class Trace {
  #live = 0
  #settled = false
  readonly #onSettle: () => void

  constructor(onSettle: () => void) {
    this.#onSettle = onSettle
  }

  enter(): void {
    this.#live++
  }

  leave(): void {
    if (--this.#live === 0) this.settle()
  }

  settle(): void {
    if (this.#settled) return
    this.#settled = true
    this.#onSettle()
  }
}

/** The trace of an item that a source emitted: settled means acknowledged. */
export class Origin extends Trace {
  readonly node: string
  readonly key: string
  /** An item that descends from it failed and was skipped. */
  failed = false

  constructor(node: string, key: string, onSettle: (origin: Origin) => void) {
    super(() => onSettle(this))
    this.node = node
    this.key = key
  }
}

/** A value with its bytes, freed when the last reference is gone, and then those of its parents that it kept. */
class Holding<T> {
  readonly value: T
  readonly bytes: number
  readonly #ledger: Ledger
  readonly #dispose: (() => void) | undefined
  readonly #kept: Holding<unknown> | undefined
  readonly #others: readonly Holding<unknown>[] | undefined
  #references = 0

  constructor(
    ledger: Ledger,
    value: T,
    options: DeriveOptions,
    kept?: Holding<unknown>,
    others?: readonly Holding<unknown>[],
  ) {
    this.value = value
    this.bytes = options.bytes ?? 0
    this.#ledger = ledger
    this.#dispose = options.dispose
    this.#kept = kept
    this.#others = others
    kept?.retain()
    if (others) for (const holding of others) holding.retain()
    ledger.opened(this.bytes)
  }

  retain(): void {
    this.#references++
  }

  release(): void {
    if (--this.#references > 0) return
    this.#ledger.closed(this.bytes, this.#dispose)
    this.#kept?.release()
    if (this.#others) for (const holding of this.#others) holding.release()
  }
}

/** Who is responsible for a lease: a node, for those handed to it or made by it and not yet emitted. */
export interface Holder {
  readonly held: Held
}

/** Leases in the order in which they came, linked through themselves: joining and leaving cost no lookup. */
export class Held {
  size = 0
  first: Lease | undefined
  last: Lease | undefined

  /** Those there now: the list may change while one goes through them. */
  get all(): readonly Lease[] {
    const leases: Lease[] = []
    for (let lease = this.first; lease; lease = lease.after) leases.push(lease)
    return leases
  }
}

/** Told once when a lease that was handed to a holder is given up or released. */
export interface Leaver {
  left(): void
}

/** One reference to a value: the item that operators see. */
export class Lease<T = unknown> implements Item<T> {
  readonly key: string
  /** Node of the source item that this one descends from. */
  readonly source: string
  readonly traces: readonly Trace[]
  /** The next one that the same holder holds. */
  after: Lease | undefined
  #before: Lease | undefined
  readonly #ledger: Ledger
  readonly #holding: Holding<T>
  #holder: Holder | undefined
  #leaver: Leaver | undefined
  #open = true
  /** Most items are never asked for their seed. */
  #seed = -1

  private constructor(
    ledger: Ledger,
    holding: Holding<T>,
    key: string,
    source: string,
    traces: readonly Trace[],
    holder?: Holder,
  ) {
    this.key = key
    this.source = source
    this.traces = traces
    this.#ledger = ledger
    this.#holding = holding
    holding.retain()
    for (let i = 0; i < traces.length; i++) traces[i].enter()
    this.#join(holder)
  }

  /** An item without a parent. */
  static root<T>(
    ledger: Ledger,
    value: T,
    source: string,
    options: DeriveOptions & { key: string },
    traces: readonly Trace[],
    holder?: Holder,
  ): Lease<T> {
    return new Lease(ledger, new Holding(ledger, value, options), options.key, source, traces, holder)
  }

  get seed(): number {
    if (this.#seed < 0) this.#seed = seedOf(this.#ledger.runSeed, this.source, this.key)
    return this.#seed
  }

  get value(): T {
    return this.#holding.value
  }

  get bytes(): number {
    return this.#holding.bytes
  }

  get open(): boolean {
    return this.#open
  }

  get holder(): Holder | undefined {
    return this.#holder
  }

  derive<U>(value: U, options: DeriveOptions = {}): Lease<U> {
    this.#mustBeOpen('derive from')
    const kept = options.keep === false ? undefined : this.#holding
    let others: Holding<unknown>[] | undefined
    let { traces } = this
    if (options.parents) {
      const parents = options.parents.map(leaseOf).filter(parent => parent !== this)
      for (const parent of parents) parent.#mustBeOpen('derive from')
      if (kept) others = parents.map(parent => parent.#holding)
      if (parents.length > 0) traces = [...new Set([...traces, ...parents.flatMap(parent => parent.traces)])]
    }
    const holding = new Holding(this.#ledger, value, options, kept, others)
    return new Lease(this.#ledger, holding, options.key ?? this.key, this.source, traces, this.#holder)
  }

  /** A second lease of the same value. */
  fork(traces: readonly Trace[] = this.traces): Lease<T> {
    this.#mustBeOpen('share')
    return new Lease(this.#ledger, this.#holding, this.key, this.source, traces, this.#holder)
  }

  /** Passes the responsibility on; `leaver` is told once, when the new holder gives it up or releases it. */
  moveTo(holder: Holder | undefined, leaver?: Leaver): this {
    this.#mustBeOpen('pass on')
    this.#leave()
    this.#leaver = leaver
    this.#join(holder)
    return this
  }

  release(): void {
    this.#mustBeOpen('release')
    this.#open = false
    this.#leave()
    this.#holding.release()
    for (let i = 0; i < this.traces.length; i++) this.traces[i].leave()
  }

  #join(holder: Holder | undefined): void {
    this.#holder = holder
    if (!holder) return
    const { held } = holder
    held.size++
    this.#before = held.last
    if (held.last) held.last.after = this
    else held.first = this
    held.last = this
  }

  #leave(): void {
    const held = this.#holder?.held
    if (held) {
      held.size--
      if (this.#before) this.#before.after = this.after
      else held.first = this.after
      if (this.after) this.after.#before = this.#before
      else held.last = this.#before
      this.#before = undefined
      this.after = undefined
    }
    const leaver = this.#leaver
    this.#leaver = undefined
    leaver?.left()
  }

  #mustBeOpen(verb: string): void {
    if (this.#open) return
    throw new RunError('operator-misused', `cannot ${verb} item "${this.key}": it was released before`, this)
  }
}

/** The lease behind an item; anything else on a stream is a mistake of the operator. */
export function leaseOf(item: unknown): Lease {
  if (item instanceof Lease) return item
  const found = item === null || typeof item !== 'object' ? String(item) : 'an object'
  const remedy = 'make items with each, source or item.derive'
  throw new RunError('operator-misused', `must emit items, emitted ${found}: ${remedy}`)
}
