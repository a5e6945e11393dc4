import { setTimeout as delay } from 'node:timers/promises'

/** Longest time that hands must have been full. */
const mostMs = 500
const lookMs = 50

/**
 * When a worker takes an order that it would only prepare: its hands have been full for a quarter of the time of an order, and no
 * other worker asks for one. A worker that fills its hands meanwhile is seldom seen to ask, so that this alone does not do.
 */
export class Manners {
  readonly #together: number
  readonly #now: () => number
  #patienceMs = mostMs
  #fullSince: number | undefined

  /** `together`: orders that it works on at the same time. */
  constructor(together: number, now = () => performance.now()) {
    this.#together = together
    this.#now = now
  }

  /** It holds this number of orders now. */
  holds(count: number): void {
    this.#fullSince = count < this.#together ? undefined : (this.#fullSince ?? this.#now())
  }

  /** The worker took this time for an order. */
  took(milliseconds: number): void {
    this.#patienceMs = Math.min(mostMs, milliseconds / 4)
  }

  /** Whether it may take one more order; waits a little when it may not. `asking`: other workers that ask for one. */
  async mayTake(asking: () => Promise<number>): Promise<boolean> {
    if (this.#fullSince === undefined) return true
    const left = this.#fullSince + this.#patienceMs - this.#now()
    if (left <= 0 && (await asking()) === 0) return true
    await delay(left > 0 ? Math.min(left, lookMs) : lookMs)
    return false
  }
}
