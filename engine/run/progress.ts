import type { Progress } from '../operator.ts'

/**
 * How far a run has come: updates if a node counts them, else what a node counts, else the items of its sources of which every
 * descendant was released.
 */
export class RunProgress {
  readonly #tell: (state: Progress) => void
  readonly #expected = new Map<string, number | undefined>()
  #what = ''
  #state: Progress | undefined
  #isNodes = false

  constructor(tell: (state: Progress) => void) {
    this.#tell = tell
  }

  /** The newest state that counts. */
  get state(): Progress | undefined {
    return this.#state
  }

  /** Items that all sources will give together; undefined while one of them has not said it. */
  get expected(): number | undefined {
    let sum = 0
    for (const items of this.#expected.values()) {
      if (items === undefined) return undefined
      sum += items
    }
    return this.#expected.size === 0 ? undefined : sum
  }

  /** All that was to be done is done. */
  get isWhole(): boolean {
    const { done = 0, total } = this.#state ?? {}
    return total !== undefined && done >= total
  }

  /** A node has a source. */
  source(node: string): void {
    if (!this.#expected.has(node)) this.#expected.set(node, undefined)
  }

  /** A source says how many items it will give. */
  expect(node: string, items: number, what: string): void {
    this.#expected.set(node, items)
    this.#what = what
  }

  /** `done`: items of all sources that are done so far. */
  settled(done: number): void {
    const total = this.expected
    if (total !== undefined && !this.#isNodes)
      this.#put({ done: Math.min(done, total), total, of: this.#what })
  }

  /** A node says how far it has come. */
  told(state: Progress): void {
    const counted = this.#isNodes && this.#state?.of === undefined
    if (counted && state.of !== undefined) return
    this.#isNodes = true
    this.#put(state)
  }

  #put(state: Progress): void {
    this.#state = state
    this.#tell(state)
  }
}
