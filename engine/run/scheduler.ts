/** Something that looks at its surroundings and does what it now can. */
export interface Pump {
  /** It waits for its turn: kept by the scheduler. */
  queued: boolean
  pump(): void
}

/** Milliseconds after which a chain of pumps lets the event loop take a turn (signals, timers, files). */
const sliceMs = 10
/** Pumps between two looks at the clock, less one: a power of two, less one. */
const clockMask = 7

/** Runs pumps one after the other, never one inside another, and notices when nothing is left to happen. */
export class Scheduler {
  readonly #onQuiet: () => void
  #waiting: Pump[] = []
  #head = 0
  #scheduled = false
  #draining = false
  #checking = false
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
    this.#push(pump)
    this.#schedule()
  }

  /** Like `wake`, for one who stands alone on the call stack: saves the way through the queue of microtasks. */
  wakeNow(pump: Pump): void {
    this.#push(pump)
    if (!this.#draining && performance.now() < this.#sliceEnd) this.#drain()
    else this.#schedule()
  }

  /** Work began that will `end`: until then it is not quiet. */
  begin(): void {
    this.#busy++
  }

  end(): void {
    this.#busy--
    if (this.#busy === 0) this.#schedule()
  }

  #push(pump: Pump): void {
    this.#wakes++
    if (pump.queued) return
    pump.queued = true
    this.#waiting.push(pump)
  }

  #schedule(): void {
    if (this.#scheduled || this.#draining) return
    this.#scheduled = true
    if (performance.now() < this.#sliceEnd) queueMicrotask(this.#run)
    else setImmediate(this.#turn)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    this.#drain()
  }

  readonly #turn = (): void => {
    this.#sliceEnd = performance.now() + sliceMs
    this.#run()
  }

  #drain(): void {
    this.#draining = true
    try {
      for (let count = 1; this.#head < this.#waiting.length; count++) {
        const pump = this.#waiting[this.#head++]
        pump.queued = false
        pump.pump()
        if ((count & clockMask) === 0 && performance.now() > this.#sliceEnd) break
      }
    } finally {
      this.#draining = false
      this.#waiting = this.#head === this.#waiting.length ? [] : this.#waiting.slice(this.#head)
      this.#head = 0
    }
    if (this.#waiting.length > 0) this.#schedule()
    else if (this.#busy === 0 && !this.#checking) {
      this.#checking = true
      setImmediate(this.#checkQuiet)
    }
  }

  readonly #checkQuiet = (): void => {
    this.#checking = false
    if (!this.#scheduled && this.#waiting.length === 0 && this.#busy === 0) this.#onQuiet()
  }
}
