import { Queue } from '../items/queue.ts'

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
  readonly #waiting = new Queue<Pump>()
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
    if (pump.queued) return
    pump.queued = true
    this.#wakes++
    this.#waiting.push(pump)
    this.#schedule()
  }

  /** Work began that will `end`: until then it is not quiet. */
  begin(): void {
    this.#busy++
  }

  end(): void {
    this.#busy--
    if (this.#busy === 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#draining) return
    this.#scheduled = true
    // after all promises that are settled now: a source that waits for nothing fills its edge before others take turns
    if (performance.now() < this.#sliceEnd) process.nextTick(this.#run)
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
      let count = 0
      for (let pump = this.#waiting.shift(); pump; pump = this.#waiting.shift()) {
        pump.queued = false
        pump.pump()
        if ((++count & clockMask) === 0 && performance.now() > this.#sliceEnd) break
      }
    } finally {
      this.#draining = false
    }
    if (this.#waiting.size > 0) this.#schedule()
    else if (this.#busy === 0 && !this.#checking) {
      this.#checking = true
      setImmediate(this.#checkQuiet)
    }
  }

  readonly #checkQuiet = (): void => {
    this.#checking = false
    if (!this.#scheduled && this.#waiting.size === 0 && this.#busy === 0) this.#onQuiet()
  }
}
