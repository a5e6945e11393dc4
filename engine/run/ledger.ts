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
  readonly #kept: readonly Holding<unknown>[]
  #references = 0

  constructor(ledger: Ledger, value: T, options: DeriveOptions, kept: readonly Holding<unknown>[]) {
    this.value = value
    this.bytes = options.bytes ?? 0
    this.#ledger = ledger
    this.#dispose = options.dispose
    this.#kept = kept
    for (const holding of kept) holding.retain()
    ledger.opened(this.bytes)
  }

  retain(): void {
    this.#references++
  }

  release(): void {
    if (--this.#references > 0) return
    this.#ledger.closed(this.bytes, this.#dispose)
    for (const holding of this.#kept) holding.release()
  }
}

/** Who is responsible for a lease: a node, for those handed to it or made by it and not yet emitted. */
export interface Holder {
  readonly held: Set<Lease>
}

/** One reference to a value: the item that operators see. */
export class Lease<T = unknown> implements Item<T> {
  readonly key: string
  readonly seed: number
  /** Node of the source item that this one descends from. */
  readonly source: string
  readonly traces: readonly Trace[]
  readonly #ledger: Ledger
  readonly #holding: Holding<T>
  #holder: Holder | undefined
  #onLeave: (() => void) | undefined
  #open = true

  private constructor(
    ledger: Ledger,
    holding: Holding<T>,
    identity: Identity,
    traces: readonly Trace[],
    holder?: Holder,
  ) {
    this.key = identity.key
    this.seed = identity.seed
    this.source = identity.source
    this.traces = traces
    this.#ledger = ledger
    this.#holding = holding
    holding.retain()
    for (const trace of traces) trace.enter()
    this.#holder = holder
    holder?.held.add(this)
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
    const identity = { key: options.key, source, seed: seedOf(ledger.runSeed, source, options.key) }
    return new Lease(ledger, new Holding(ledger, value, options, []), identity, traces, holder)
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
    const parents = [this as Lease, ...(options.parents ?? []).map(leaseOf).filter(parent => parent !== this)]
    for (const parent of parents) parent.#mustBeOpen('derive from')
    const kept = options.keep === false ? [] : parents.map(parent => parent.#holding)
    const traces = parents.length === 1 ? this.traces : [...new Set(parents.flatMap(parent => parent.traces))]
    const { key = this.key } = options
    const seed = key === this.key ? this.seed : seedOf(this.#ledger.runSeed, this.source, key)
    const holding = new Holding(this.#ledger, value, options, kept)
    return new Lease(this.#ledger, holding, { key, seed, source: this.source }, traces, this.#holder)
  }

  /** A second lease of the same value. */
  fork(traces: readonly Trace[] = this.traces): Lease<T> {
    this.#mustBeOpen('share')
    return new Lease(this.#ledger, this.#holding, this, traces, this.#holder)
  }

  /** Passes the responsibility on; `onLeave` is called once, when the new holder gives it up or releases it. */
  moveTo(holder: Holder | undefined, onLeave?: () => void): this {
    this.#mustBeOpen('pass on')
    this.#leave()
    this.#holder = holder
    this.#onLeave = onLeave
    holder?.held.add(this)
    return this
  }

  release(): void {
    this.#mustBeOpen('release')
    this.#open = false
    this.#leave()
    this.#holding.release()
    for (const trace of this.traces) trace.leave()
  }

  #leave(): void {
    this.#holder?.held.delete(this)
    const onLeave = this.#onLeave
    this.#onLeave = undefined
    onLeave?.()
  }

  #mustBeOpen(verb: string): void {
    if (this.#open) return
    throw new RunError('operator-misused', `cannot ${verb} item "${this.key}": it was released before`, this)
  }
}

interface Identity {
  key: string
  seed: number
  source: string
}

/** The lease behind an item; anything else on a stream is a mistake of the operator. */
export function leaseOf(item: unknown): Lease {
  if (item instanceof Lease) return item
  const found = item === null || typeof item !== 'object' ? String(item) : 'an object'
  const remedy = 'make items with each, source or item.derive'
  throw new RunError('operator-misused', `must emit items, emitted ${found}: ${remedy}`)
}
