/** Counts everything that is alive in a run. At its end all counts of living things must be zero. */
export class Ledger {
  readonly runSeed: number
  /** Values that are held by at least one lease. */
  live = 0
  bytes = 0
  made = 0
  peakLive = 0
  peakBytes = 0
  /** Items that failed and were skipped. */
  skipped = 0
  readonly #onDisposeError: (error: unknown) => void

  constructor(runSeed: number, onDisposeError: (error: unknown) => void) {
    this.runSeed = runSeed
    this.#onDisposeError = onDisposeError
  }

  opened(bytes: number): void {
    this.made++
    if (++this.live > this.peakLive) this.peakLive = this.live
    this.bytes += bytes
    if (this.bytes > this.peakBytes) this.peakBytes = this.bytes
  }

  closed(bytes: number, dispose: (() => void) | undefined): void {
    this.live--
    this.bytes -= bytes
    if (!dispose) return
    try {
      dispose()
    } catch (error) {
      this.#onDisposeError(error)
    }
  }
}
