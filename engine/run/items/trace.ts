import { codeOf, messageOf } from '../../shared/errors.ts'

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

/** An item that was given up, for the dead letters. */
export interface Skipped {
  readonly node: string
  readonly key: string
  readonly code: string | undefined
  readonly message: string
}

/** Somebody outside of the run who waits until all that descends from an item is released. */
export interface Call {
  /** `isLeft`: the run is stopping, and some of it was left undone. */
  settled(faults: readonly Skipped[], isLeft: boolean): void
}

/** The trace of an item that a source emitted: settled means acknowledged. */
export class Origin extends Trace {
  readonly key: string | number
  /** Among the items of its source. */
  readonly position: number
  /** What was skipped of it. */
  readonly faults: Skipped[] = []
  /** The run is stopping, and something that descends from it was left undone. */
  isLeft = false
  /** Who waits for it outside of the run. */
  readonly call: Call | undefined
  readonly #acknowledge: (origin: Origin) => void

  constructor(key: string | number, position: number, acknowledge: (origin: Origin) => void, call?: Call) {
    super()
    this.call = call
    this.key = key
    this.position = position
    this.#acknowledge = acknowledge
  }

  skip(node: string, key: string, error: unknown): void {
    this.faults.push({ node, key, code: codeOf(error), message: messageOf(error) })
  }

  /** An item that descends from it failed and was skipped. */
  get failed(): boolean {
    return this.faults.length > 0
  }

  protected override onSettle(): void {
    this.#acknowledge(this)
  }
}
