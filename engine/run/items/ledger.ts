/** Counts everything that is alive in a run. At its end all counts of living things must be zero. */
export class Ledger {
  readonly runSeed: number
  /** Values that are held by at least one lease. */
  live = 0
  bytes = 0
  made = 0
  peakLive = 0
  peakBytes = 0
  /** Items that sources gave, and those of which every descendant was released. */
  emitted = 0
  settled = 0
  #left = 0
  /** Items that failed and were skipped, by name of the node. */
  readonly skips = new Map<string, number>()
  readonly #onDisposeError: (error: unknown) => void

  constructor(runSeed: number, onDisposeError: (error: unknown) => void) {
    this.runSeed = runSeed
    this.#onDisposeError = onDisposeError
  }

  /** Items of sources that are on their way. */
  get open(): number {
    return this.emitted - this.settled
  }

  /** Items of which every descendant was released, and none was left undone. */
  get done(): number {
    return this.settled - this.#left
  }

  /** Every descendant of an item of a source was released; `isLeft`: some of it was left undone. */
  settle(isLeft: boolean): void {
    this.settled++
    if (isLeft) this.#left++
  }

  /** Items that failed and were skipped. */
  get skipped(): number {
    return [...this.skips.values()].reduce((sum, count) => sum + count, 0)
  }

  skip(node: string): void {
    this.skips.set(node, (this.skips.get(node) ?? 0) + 1)
  }

  /** What a checkpoint keeps of it. */
  skipState(): { skipped: number; skips: Record<string, number> } {
    return { skipped: this.skipped, skips: Object.fromEntries(this.skips) }
  }

  /** Goes on from what a checkpoint keeps of it. */
  recall(acknowledged: number, skips: Readonly<Record<string, number>>): void {
    for (const [node, count] of Object.entries(skips)) this.skips.set(node, count)
    this.settled = acknowledged + this.skipped
    this.emitted = this.settled
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
