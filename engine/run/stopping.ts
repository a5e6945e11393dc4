import type { Lease } from './items/lease.ts'
import { Origin } from './items/trace.ts'
import type { RunLink } from './summary.ts'

/** A stop that was asked for from outside, and what it leaves undone. */
export class Stopping {
  isAsked = false
  #hasLeft = false
  readonly #keepsCheckpoints: boolean
  readonly #link: RunLink | undefined

  constructor(keepsCheckpoints: boolean, link: RunLink | undefined) {
    this.#keepsCheckpoints = keepsCheckpoints
    this.#link = link
  }

  /** Implements `Context.leaves`. A worker that is stopped by itself finishes what it holds: its run goes on. */
  leaves(item: Lease): boolean {
    const isHome = this.#link?.isHome ?? true
    const may = isHome ? this.isAsked && !this.#keepsCheckpoints : this.#link?.isStopping === true
    if (!may) return false
    this.#hasLeft = true
    for (const trace of item.traces) if (trace instanceof Origin) trace.isLeft = true
    return true
  }

  /** It was asked for before all was done. */
  isCut(
    sources: { readonly isCut: boolean } | undefined,
    { isWhole }: { readonly isWhole: boolean },
  ): boolean {
    return this.isAsked && (this.#hasLeft || sources?.isCut !== false) && !isWhole
  }

  /** Tells the other processes of the run. */
  ask(): void {
    this.isAsked = true
    if (!this.#keepsCheckpoints) this.#link?.stop?.()
  }
}
