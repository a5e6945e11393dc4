import type { Lease } from './items/lease.ts'

/** Who is responsible for a lease: a node, for those handed to it or made by it and not yet emitted. */
export interface Holder {
  readonly held: Held
}

/** The leases that a holder answers for, in no order. Each knows its place: joining and leaving cost no search. */
export class Held {
  size = 0
  /** Longer than `size` at times: an array that shrinks and grows again costs more than it saves. */
  readonly #leases: (Lease | undefined)[] = []

  /** Those there now: the list may change while one goes through them. */
  get all(): readonly Lease[] {
    return this.#leases.filter(lease => lease !== undefined)
  }

  add(lease: Lease): void {
    lease.place = this.size
    this.#leases[this.size++] = lease
  }

  remove(lease: Lease): void {
    const last = this.#leases[--this.size]
    this.#leases[this.size] = undefined
    if (!last || last === lease) return
    last.place = lease.place
    this.#leases[lease.place] = last
  }
}
