import { clock } from '../../platform/clock.ts'
import { Queue } from '../items/queue.ts'

/** A part of the network that does whatever it can do now. */
export interface Pump {
  /** It waits for its turn; only the scheduler sets it. */
  queued: boolean
  pump(): void
}

/** Milliseconds after which a chain of pumps lets the event loop take a turn (signals, timers, files). */
const sliceMs = 10
/** The clock is read once in this number of pumps plus one: a power of two minus one. */
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
  /** While the run is paused: keeps the process alive, because nothing else may. */
  #pause: NodeJS.Timeout | undefined
  #wakes = 0

  /** `onQuiet` is called when no pump waits and no work runs that could wake one. */
  constructor(onQuiet: () => void) {
    this.#onQuiet = onQuiet
  }

  /** Grows with every event: two equal readings mean that nothing happened between them. */
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

  /** Work has begun: the network is not quiet until `end`. */
  begin(): void {
    this.#busy++
  }

  end(): void {
    this.#busy--
    if (this.#busy === 0) this.#schedule()
  }

  get paused(): boolean {
    return this.#pause !== undefined
  }

  /** Work that has begun goes on to its end; nothing else happens until `continue`. */
  pause(): void {
    this.#pause ??= setInterval(() => {}, 60_000)
  }

  continue(): void {
    clearInterval(this.#pause)
    this.#pause = undefined
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#draining || this.paused) return
    this.#scheduled = true
    // runs after all settled promises, so that a source which never waits fills its edge before others take turns
    if (performance.now() < this.#sliceEnd) clock.afterPromises(this.#run)
    else clock.nextTurn(this.#turn)
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
    if (this.paused) return
    this.#draining = true
    try {
      let count = 0
      for (let pump = this.#waiting.shift(); pump; pump = this.#waiting.shift()) {
        pump.queued = false
        pump.pump()
        if (this.paused || ((++count & clockMask) === 0 && performance.now() > this.#sliceEnd)) break
      }
    } finally {
      this.#draining = false
    }
    if (this.#waiting.size > 0) this.#schedule()
    else if (this.#busy === 0 && !this.#checking) {
      this.#checking = true
      clock.nextTurn(this.#checkQuiet)
    }
  }

  readonly #checkQuiet = (): void => {
    this.#checking = false
    if (!this.paused && !this.#scheduled && this.#waiting.size === 0 && this.#busy === 0) this.#onQuiet()
  }
}
