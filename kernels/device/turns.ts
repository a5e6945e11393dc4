// Processes that share a GPU and take turns. A driver that divides the time of a GPU among processes changes between them every
// few milliseconds, at the cost of caches: a decode loop beside a training pass took 1.2 times as long as both one after the
// other. So a process asks for its turn before a large piece of work, and keeps it for a while:
//
//   learner  ████████░░░░░░░░████████░░░░    █ works   ░ waits
//   worker   ░░░░░░░░████████░░░░░░░░████

/** Where the processes of a GPU wait for each other. */
export interface TurnLine {
  /** Ends when it is the turn of this process. */
  take(): Promise<void>
  /** The turn is over. */
  leave(): void
  /** Another process waits. */
  readonly isWanted: boolean
}

/** A turn lasts so long while others wait. */
const turnMs = 250
/** A process that has left its GPU without work for so long gives its turn back. */
const idleMs = 20

/** What a device calls before each large piece of work; without a line nobody waits. */
export function turnsIn(line: TurnLine | undefined, finish: () => Promise<unknown>): () => Promise<void> {
  if (!line) return async () => {}
  const turns = new Turns(line, finish)
  return () => turns.begin()
}

export class Turns {
  readonly #line: TurnLine
  /** Waits until the work that was submitted is done. */
  readonly #finish: () => Promise<unknown>
  #isHeld = false
  #since = 0
  /** Pieces of work that were begun. */
  #begun = 0
  /** Ends when the last call has what it asked for: calls wait for each other. */
  #last: Promise<void> = Promise.resolve()

  constructor(line: TurnLine, finish: () => Promise<unknown>) {
    this.#line = line
    this.#finish = finish
  }

  /** Ends when a piece of work may be submitted. */
  begin(): Promise<void> {
    const begun = this.#last.then(() => this.#begin())
    this.#last = begun.catch(() => {}) // who asked is told
    return begun
  }

  async #begin(): Promise<void> {
    this.#begun++
    if (this.#isHeld && this.#line.isWanted && performance.now() - this.#since >= turnMs) {
      await this.#finish()
      this.#leave()
    }
    if (this.#isHeld) return
    await this.#line.take()
    this.#isHeld = true
    this.#since = performance.now()
    void this.#watch()
  }

  /** Gives the turn back when the GPU has no work and none was begun for a while. */
  async #watch(): Promise<void> {
    const since = this.#since
    while (this.#isHeld && this.#since === since) {
      const begun = this.#begun
      await new Promise(done => setTimeout(done, idleMs))
      if (begun !== this.#begun) continue
      await this.#finish().catch(() => {}) // who reads the results is told
      if (begun === this.#begun && this.#since === since) return this.#leave()
    }
  }

  #leave(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#line.leave()
  }
}
