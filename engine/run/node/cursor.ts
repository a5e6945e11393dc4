import { RunError } from '../error.ts'
import { seedOf } from '../items/seed.ts'

/** How far a source has come, as a checkpoint keeps it. */
export interface CursorState {
  /** Items found. */
  readonly found: number
  /** Positions, from 0, of those among them that were not acknowledged. */
  readonly open: readonly number[]
  /** Of all their keys in order: tells a source that gives others now. */
  readonly digest: number
}

/** Follows one source: which of its items are done, and how many more it may give before it has to wait. */
export class Cursor {
  readonly name: string
  /** Items that it may still give. */
  allowance: number
  ended = false
  readonly #past: CursorState | undefined
  readonly #open = new Set<number>()
  #found = 0
  #digest = 0

  constructor(name: string, allowance: number, past?: CursorState) {
    this.name = name
    this.allowance = allowance
    this.#past = past
  }

  get state(): CursorState {
    return { found: this.#found, open: [...this.#open].sort((a, b) => a - b), digest: this.#digest }
  }

  /** Counts an item; returns its position, or undefined when it was done before the run was resumed. */
  find(key: string | number): number | undefined {
    const position = this.#found++
    this.#digest = seedOf(this.#digest, this.name, String(key))
    const past = this.#past
    if (past && this.#found === past.found && this.#digest !== past.digest)
      throw this.#mismatch('other items, or in another order')
    if (past && position < past.found && !past.open.includes(position)) return undefined
    this.#open.add(position)
    return position
  }

  acknowledge(position: number): void {
    this.#open.delete(position)
  }

  end(): void {
    this.ended = true
    if (this.#past && this.#found < this.#past.found) throw this.#mismatch('fewer items')
  }

  #mismatch(found: string): RunError {
    const rule = `source "${this.name}" must give the items that it gave before the checkpoint`
    return new RunError('checkpoint-mismatch', `${rule}; it gives ${found}: has its data changed?`)
  }
}
