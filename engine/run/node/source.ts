import { Observable, type Subscriber } from 'rxjs'
import type { Item, SourceItem } from '../../operator.ts'
import { RunError } from '../error.ts'
import { Lease, type Leaver } from '../items/lease.ts'
import { type Call, Origin } from '../items/trace.ts'
import type { Cursor } from './cursor.ts'
import type { Host, SourcePump } from './host.ts'

/** An item of another process of the run has the node that it came from there, and somebody who waits for it. */
export type Pulled<T> = SourceItem<T, string | number> & { readonly source?: string; readonly call?: Call }

/** Implements `Context.source`, which operator.ts describes. */
export function source<T>(host: Host, pull: () => AsyncIterable<Pulled<T>>): Observable<Item<T>> {
  return new Observable(subscriber => {
    const source = new RunningSource(host, pull()[Symbol.asyncIterator](), subscriber)
    host.addSource(source)
    host.wake()
    return () => void source.stop()
  })
}

/** Items after which a source lets other nodes take a turn: an edge that drops items never makes it wait. */
const mostInTurn = 32
/** Position of an item whose source has no cursor. */
const nowhere = -1

/** Keys that a source remembers, to tell one that it gives twice: a reader that repeats them does so early. */
const mostKeys = 100_000

/** Pulls items while there is room and credit for them. */
class RunningSource<T> implements SourcePump, Leaver {
  readonly #host: Host
  readonly #iterator: AsyncIterator<Pulled<T>>
  readonly #subscriber: Subscriber<Item<T>>
  readonly #cursor: Cursor | undefined
  /** The item that was pulled and waits for room. */
  #pulled: Pulled<T> | undefined
  #position = nowhere
  /** The keys of its items, with the places where these were read. */
  readonly #keys = new Map<string, string | undefined>()
  #pulling = false
  #stopped = false
  #emitting = false
  #outstanding = 0

  constructor(host: Host, iterator: AsyncIterator<Pulled<T>>, subscriber: Subscriber<Item<T>>) {
    this.#host = host
    this.#iterator = iterator
    this.#subscriber = subscriber
    this.#cursor = host.cursor()
  }

  advance(): void {
    if (this.#pulling) return
    this.#emit()
    if (this.#wantsMore) void this.#pull()
  }

  /** Ends the iterator too, so that it can close what it opened; a pull that has begun is awaited. */
  stop(): boolean {
    if (this.#stopped) return false
    this.#stopped = true
    if (this.#pulled) this.#discard(this.#pulled)
    this.#pulled = undefined
    void this.#close()
    this.#subscriber.complete()
    return true
  }

  /** An item has left the node. */
  left(): void {
    this.#outstanding--
    if (!this.#emitting) this.#host.wake()
  }

  get #wantsMore(): boolean {
    return !this.#stopped && !this.#pulled && this.#outstanding < this.#host.credits && this.#host.hasRoom(0)
  }

  /** Never rejects: what goes wrong ends the run. */
  async #pull(): Promise<void> {
    this.#pulling = true
    this.#host.begin()
    try {
      for (let count = 0; this.#wantsMore && count < mostInTurn; count++) {
        const result = await this.#iterator.next()
        if (result.done) this.#finish()
        else this.#take(result.value)
        this.#emit()
      }
    } catch (error) {
      this.#stopped = true
      if (!this.#host.signal.aborted) this.#host.fail(error)
    }
    this.#pulling = false
    if (this.#wantsMore) this.#host.wake()
    this.#host.end()
  }

  /** Keeps an item for emission, unless it was done before the run was resumed or nobody wants it any more. */
  #take(item: Pulled<T>): void {
    const fault = this.#stopped ? undefined : this.#faultOfKey(item)
    if (fault) {
      this.#discard(item)
      void this.#close()
      throw fault
    }
    const position = this.#stopped ? undefined : this.#cursor ? this.#cursor.find(item.key) : nowhere
    if (position === undefined) {
      this.#discard(item)
    } else {
      this.#pulled = item
      this.#position = position
    }
  }

  /** An item of another process of the run has been looked at there. */
  #faultOfKey({ key, place, call }: Pulled<T>): RunError | undefined {
    if (call) return undefined
    const remedy = 'yield { key, value } with another key for each item, e.g. its line number'
    // a plugin in JavaScript may give anything
    if (typeof key !== 'string' && typeof key !== 'number') {
      const found = `found ${key === null ? 'null' : typeof key}`
      return new RunError('operator-misused', `each item must have a key, a text or a number, ${found}`, {
        remedy,
      })
    }
    const name = String(key)
    if (this.#keys.has(name)) {
      const places = [this.#keys.get(name), place].filter(one => one !== undefined)
      const where = places.length > 0 ? ` (${places.join(' and ')})` : ''
      const rule = 'each item must have a key of its own, by which its seed, its records and a replay go'
      return new RunError('operator-misused', `${rule}; two have the key "${name}"${where}`, { remedy })
    }
    if (this.#keys.size < mostKeys) this.#keys.set(name, place)
    return undefined
  }

  /** Emits the pulled item if credits, room and checkpoints allow it. */
  #emit(): void {
    const item = this.#pulled
    const cursor = this.#cursor
    if (!item || this.#outstanding >= this.#host.credits || !this.#host.hasRoom(item.bytes ?? 0)) return
    if (cursor) {
      if (cursor.allowance <= 0) return
      cursor.allowance--
    }
    this.#pulled = undefined
    const { ledger, name } = this.#host
    const origin = new Origin(item.key, this.#position, this.#acknowledge, item.call)
    const lease = Lease.root(ledger, item.value, item.source ?? name, item, [origin])
    ledger.emitted++
    this.#outstanding++
    this.#emitting = true
    this.#subscriber.next(lease.moveTo(this.#host, this))
    this.#emitting = false
  }

  readonly #acknowledge = (origin: Origin): void => {
    this.#cursor?.acknowledge(origin.position)
    this.#host.acknowledged(origin)
  }

  #finish(): void {
    if (this.#stopped) return
    this.#cursor?.end()
    this.#stopped = true
    this.#subscriber.complete()
  }

  async #close(): Promise<void> {
    this.#host.begin()
    try {
      await this.#iterator.return?.()
    } catch (error) {
      if (!this.#host.signal.aborted) this.#host.fail(error)
    }
    this.#host.end()
  }

  #discard(item: Pulled<T>): void {
    try {
      item.dispose?.()
    } catch (error) {
      this.#host.fail(error)
    }
  }
}
