import type { DeriveOptions, Item, SourceItem } from '../../operator.ts'
import { RunError } from '../error.ts'
import type { Ledger } from './ledger.ts'
import { seedOf } from './seed.ts'
import type { Trace } from './trace.ts'

/** Notified once when a lease leaves the holder it was handed to: passed on or released. */
export interface Leaver {
  left(): void
}

type RootOptions = Pick<SourceItem<unknown>, 'bytes' | 'dispose' | 'place'> & { key: string | number }

/** What an item shares with all that descend from it alone. */
interface Descent {
  readonly ledger: Ledger
  /** Node of the source item. */
  readonly source: string
  readonly traces: readonly Trace[]
  /** Where the source item was read, e.g. file and line. */
  readonly place?: string | undefined
}

/**
 * One reference to a value: the item that operators see. The value is freed when the lease is released and nothing that
 * descends from it keeps it, and then the values of its parents that it kept.
 */
export class Lease<T = unknown> implements Item<T> {
  readonly value: T
  readonly #key: string | number
  readonly bytes: number
  /** Among the leases of its holder; only `OwnedLeases` sets it. */
  index = -1
  readonly #descent: Descent
  readonly #kept: Lease | undefined
  #others: readonly Lease[] | undefined
  readonly #dispose: (() => void) | undefined
  /** Leases that keep the value alive: this one until it is released, and those that descend from it. */
  #references = 1
  /** It is a second lease of the value of the lease that it keeps. */
  #shares = false
  #state: 'open' | 'released' | 'emitted' | 'freed' = 'open'
  #holder: Holder | undefined
  /** The last node that held it: a later use is a mistake of this node. */
  #owner: Holder | undefined
  #leaver: Leaver | undefined

  private constructor(
    descent: Descent,
    value: T,
    key: string | number,
    bytes: number,
    dispose: (() => void) | undefined,
    holder: Holder | undefined,
    kept: Lease | undefined,
  ) {
    this.value = value
    this.#key = key
    this.bytes = bytes
    this.#descent = descent
    this.#kept = kept
    this.#dispose = dispose
    this.#holder = holder
    this.#owner = holder
    if (kept) kept.#references++
    const { traces } = descent
    for (const trace of traces) trace.enter()
    if (holder) holder.ownedLeases.add(this)
  }

  /** An item without a parent. */
  static root<T>(
    ledger: Ledger,
    value: T,
    source: string,
    { key, bytes = 0, dispose, place }: RootOptions,
    traces: readonly Trace[],
    holder?: Holder,
  ): Lease<T> {
    ledger.opened(bytes)
    return new Lease({ ledger, source, traces, place }, value, key, bytes, dispose, holder, undefined)
  }

  get key(): string {
    return String(this.#key)
  }

  /** Node of the source item. */
  get source(): string {
    return this.#descent.source
  }

  get traces(): readonly Trace[] {
    return this.#descent.traces
  }

  get place(): string | undefined {
    return this.#descent.place
  }

  get seed(): number {
    const { ledger, source } = this.#descent
    return seedOf(ledger.runSeed, source, this.key)
  }

  get open(): boolean {
    return this.#state === 'open'
  }

  get holder(): Holder | undefined {
    return this.#holder
  }

  derive<U>(
    value: U,
    { key, bytes = 0, dispose, keep = true, parents, place }: DeriveOptions = {},
  ): Lease<U> {
    const closed = this.open ? parents?.map(leaseOf).find(parent => !parent.open) : this
    if (closed) closed.#misused('derived from')
    const others = parents && !closed ? parents.map(leaseOf).filter(parent => parent !== this) : none
    const joined = others.length > 0 ? this.#join(others) : this.#descent
    const descent = place === undefined ? joined : { ...joined, place }
    descent.ledger.opened(bytes)
    const child = new Lease(
      descent,
      value,
      key ?? this.#key,
      bytes,
      dispose,
      closed ? undefined : this.#holder,
      keep && !closed ? this : undefined,
    )
    if (keep && others.length > 0) child.#keep(others)
    // the run is ending: nobody will release it
    if (closed) child.free()
    return child
  }

  /** A second lease of the same value. */
  fork(traces: readonly Trace[] = this.traces): Lease<T> {
    return this.#share(this.#holder, traces)
  }

  /** Ends this lease for a new one without a holder: code that keeps an emitted item cannot touch what others hold. */
  handOver(): Lease<T> {
    const next = this.#share(undefined, this.traces)
    this.#close('emitted')
    return next
  }

  /** Makes another holder the owner; `leaver` is notified once, when the new owner passes it on or releases it. */
  moveTo(holder: Holder | undefined, leaver?: Leaver): this {
    this.#leave()
    this.#leaver = leaver
    this.#holder = holder
    if (holder) {
      this.#owner = holder
      holder.ownedLeases.add(this)
    }
    return this
  }

  release(): void {
    if (this.open) this.#close('released')
    else this.#misused('released')
  }

  /** The end of its node takes it: what the operator still does with it has no effect. */
  free(): void {
    if (this.open) this.#close('freed')
  }

  #share(holder: Holder | undefined, traces: readonly Trace[]): Lease<T> {
    const descent = traces === this.traces ? this.#descent : { ...this.#descent, traces }
    const source = this.#shares ? this.#kept : this
    const second = new Lease(descent, this.value, this.#key, this.bytes, undefined, holder, source)
    second.#shares = true
    return second
  }

  #close(state: 'released' | 'emitted' | 'freed'): void {
    this.#state = state
    this.#leave()
    this.#holder = undefined
    this.#drop()
    const { traces } = this
    for (const trace of traces) trace.leave()
  }

  #join(others: readonly Lease[]): Descent {
    const traces = new Set([this, ...others].flatMap(parent => parent.traces))
    const isOne = others.every(({ place }) => place === this.place)
    return { ...this.#descent, traces: [...traces], place: isOne ? this.place : undefined }
  }

  #keep(others: readonly Lease[]): void {
    this.#others = others
    for (const other of others) other.#references++
  }

  /** Gives up one reference; the last one frees the value. */
  #drop(): void {
    if (--this.#references > 0) return
    if (!this.#shares) this.#descent.ledger.closed(this.bytes, this.#dispose)
    const kept = this.#kept
    if (kept) kept.#drop()
    if (this.#others) for (const other of this.#others) other.#drop()
  }

  #leave(): void {
    if (this.#holder) this.#holder.ownedLeases.remove(this)
    const leaver = this.#leaver
    if (leaver === undefined) return
    this.#leaver = undefined
    leaver.left()
  }

  /** The operator used an item that was no longer its own: that ends the run, and names its node. */
  #misused(did: 'released' | 'derived from'): void {
    if (this.#state === 'freed') return
    const error = this.misuse(did)
    if (this.#owner === undefined) throw error
    this.#owner.fail(error)
  }

  /** What an operator did wrong when it used the item after it had released or emitted it. */
  misuse(did: 'released' | 'derived from' | 'emitted'): RunError {
    const when = this.#state === did ? 'twice' : `after it had been ${this.#state}`
    const remedy = 'it must release or emit an item once, never use it later, and leave it alone in `each`'
    return new RunError('operator-misused', `${did} item "${this.key}" ${when}`, { remedy })
  }
}

const none: readonly Lease[] = []

/** An item as the lease that it is; anything else on a stream is a mistake of the operator. */
export function leaseOf(item: unknown): Lease {
  if (item instanceof Lease) return item
  const found = item === null || typeof item !== 'object' ? String(item) : 'an object'
  const remedy = 'make items with each, source or item.derive'
  throw new RunError('operator-misused', `must emit items, emitted ${found}: ${remedy}`)
}
/** The owner of a lease: a node owns the items handed to it, and those it made until it emits them. */
export interface Holder {
  readonly ownedLeases: OwnedLeases
  /** The run must end with this error. */
  fail(error: unknown): void
}
/** The leases that a holder owns, in no order. Each knows its index, so adding and removing need no search. */
export class OwnedLeases {
  size = 0
  /** Longer than `size` at times: an array that shrinks and grows again costs more than it saves. */
  readonly #leases: (Lease | undefined)[] = []

  /** A copy of the list: leases may be added or removed while the caller iterates. */
  get all(): readonly Lease[] {
    return this.#leases.filter(lease => lease !== undefined)
  }

  add(lease: Lease): void {
    lease.index = this.size
    this.#leases[this.size++] = lease
  }

  remove(lease: Lease): void {
    const last = this.#leases[--this.size]
    this.#leases[this.size] = undefined
    if (!last || last === lease) return
    last.index = lease.index
    this.#leases[lease.index] = last
  }
}
