// Reading the clock can cost more than a short call, so after 256 starts brief work is timed only once in 32.
const alwaysTimed = 256
const timedOfBrief = 32
const briefSeconds = 20e-6

/** Adds up the time between starts and stops. */
export class WorkClock {
  seconds = 0
  #started = 0
  /** Starts between two that are timed; the timed one is counted for them too. */
  #untimed = 0
  #left = 0
  #since = 0

  start(): void {
    this.#started++
    if (this.#left-- === 0) this.#since = performance.now()
  }

  stop(): void {
    if (this.#since === 0) return
    this.seconds += ((performance.now() - this.#since) / 1000) * (this.#untimed + 1)
    this.#since = 0
    const isBrief = this.#started > alwaysTimed && this.seconds / this.#started < briefSeconds
    this.#untimed = isBrief ? timedOfBrief - 1 : 0
    this.#left = this.#untimed
  }
}
