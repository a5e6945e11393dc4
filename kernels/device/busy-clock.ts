/** Tells for how long a GPU had work: from a submit to the moment when somebody who waited for the last one has its result. */
export class BusyClock {
  readonly #now: () => number
  #submits = 0
  #since: number | undefined
  #milliseconds = 0

  constructor(now = () => performance.now()) {
    this.#now = now
  }

  /** Work was submitted; returns its number. */
  submitted(): number {
    this.#since ??= this.#now()
    return ++this.#submits
  }

  /** All work up to a number is done. */
  done(number: number): void {
    if (this.#since === undefined) return
    const now = this.#now()
    this.#milliseconds += now - this.#since
    this.#since = number === this.#submits ? undefined : now
  }

  /** The number of the work submitted last. */
  get latest(): number {
    return this.#submits
  }

  get seconds(): number {
    return (this.#milliseconds + (this.#since === undefined ? 0 : this.#now() - this.#since)) / 1000
  }
}
