/** Follows an item and all that descends from it: settles once, when the last lease of them is released. */
export abstract class Trace {
  #live = 0
  #settled = false

  protected abstract onSettle(): void

  /** Leases of the item and of what descends from it. */
  get live(): number {
    return this.#live
  }

  enter(): void {
    this.#live++
  }

  leave(): void {
    if (--this.#live === 0) this.settle()
  }

  settle(): void {
    if (this.#settled) return
    this.#settled = true
    this.onSettle()
  }
}

/** The trace of an item that a source emitted: settled means acknowledged. */
export class Origin extends Trace {
  readonly key: string | number
  /** Among the items of its source. */
  readonly position: number
  /** An item that descends from it failed and was skipped. */
  failed = false
  readonly #acknowledge: (origin: Origin) => void

  constructor(key: string | number, position: number, acknowledge: (origin: Origin) => void) {
    super()
    this.key = key
    this.position = position
    this.#acknowledge = acknowledge
  }

  protected override onSettle(): void {
    this.#acknowledge(this)
  }
}
