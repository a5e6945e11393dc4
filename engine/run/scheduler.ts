/** Something that looks at its surroundings and does what it now can. */
export interface Pump {
  pump(): void
}

/** Milliseconds after which a chain of pumps lets the event loop take a turn (signals, timers, files). */
const sliceMs = 10

/** Runs pumps one after the other, never one inside another, and notices when nothing is left to happen. */
export class Scheduler {
  readonly #waiting = new Set<Pump>()
  readonly #onQuiet: () => void
  #scheduled = false
  #busy = 0
  #sliceEnd = 0
  #wakes = 0

  /** `onQuiet` is called when no pump waits and no work is under way that would wake one. */
  constructor(onQuiet: () => void) {
    this.#onQuiet = onQuiet
  }

  /** Grows whenever something happens: two equal readings mean that nothing did in between. */
  get wakes(): number {
    return this.#wakes
  }

  wake(pump: Pump): void {
    this.#wakes++
    this.#waiting.add(pump)
    this.#schedule()
  }

  /** Work began that will `end`: until then it is not quiet. */
  begin(): void {
    this.#busy++
  }

  end(): void {
    this.#busy--
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (performance.now() < this.#sliceEnd) queueMicrotask(() => this.#drain())
    else setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#sliceEnd = performance.now() + sliceMs
    this.#drain()
  }

  #drain(): void {
    for (const pump of this.#waiting) {
      this.#waiting.delete(pump)
      pump.pump()
      if (performance.now() > this.#sliceEnd) break
    }
    this.#scheduled = false
    if (this.#waiting.size > 0) this.#schedule()
    else if (this.#busy === 0) setImmediate(() => this.#checkQuiet())
  }

  #checkQuiet(): void {
    if (!this.#scheduled && this.#waiting.size === 0 && this.#busy === 0) this.#onQuiet()
  }
}
