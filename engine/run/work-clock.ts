/** Reading the clock takes longer than brief work: after so many times, only one in so many is timed. */
const alwaysTimed = 256
const timedOfBrief = 32
const briefSeconds = 20e-6

/** Measures the time in which at least one piece of work is under way. */
export class WorkClock {
  seconds = 0
  /** Pieces of work under way. */
  working = 0
  #begun = 0
  #since = 0
  #timedOf = 1

  begin(): void {
    if (this.working++ === 0 && this.#begun++ % this.#timedOf === 0) this.#since = performance.now()
  }

  end(): void {
    if (--this.working > 0 || this.#since === 0) return
    this.seconds += ((performance.now() - this.#since) / 1000) * this.#timedOf
    this.#since = 0
    if (this.#begun > alwaysTimed)
      this.#timedOf = this.seconds / this.#begun < briefSeconds ? timedOfBrief : 1
  }
}
