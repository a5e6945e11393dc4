import { type Edge, Ticket } from './edge.ts'

/**
 * Holds an input back: with `maxLag` n an item passes when all items before it but the last n have been answered on a
 * feedback edge. It is worked on with the value of the edge that answered those, whatever has arrived since: so the value
 * depends on the order of the items alone. An item that was dropped counts as answered, without a value.
 */
export class Gate {
  readonly edge: Edge
  readonly maxLag: number
  readonly #onSettle: () => void
  /** Of the items that passed, from the first that is not answered. */
  #tickets: Ticket[] = []
  #unanswered = 0
  /** Items that passed, and the first of them that are answered, up to one that is not; since the last checkpoint. */
  #passed = 0
  #answered = 0
  /** The newest values after the first answers; the last one is that after `#answered` of them. */
  #values: unknown[] | undefined
  #isLoose = false

  constructor(edge: Edge, maxLag: number, onSettle: () => void) {
    this.edge = edge
    this.maxLag = maxLag
    this.#onSettle = onSettle
  }

  get open(): boolean {
    if (this.#passed - this.#answered <= this.maxLag) return true
    return this.#isLoose && this.#unanswered <= this.maxLag
  }

  /**
   * Lets one more item pass where an early one waits, e.g. in a batch, for later ones, and items between them were dropped.
   * Called when nothing else can happen; returns whether an item may pass now that could not before.
   */
  loosen(): boolean {
    if (this.open || this.#unanswered > this.maxLag) return false
    this.#isLoose = true
    return true
  }

  /** Nothing is on its way: counts anew, as a run does that goes on from a checkpoint. */
  reset(): void {
    const newest = this.#newest
    this.#values = [newest]
    this.#passed = 0
    this.#answered = 0
  }

  ticket(): Ticket {
    const pinned = this.#pinned()
    const ticket = new Ticket(this.edge, pinned, this.#settled)
    this.#passed++
    this.#unanswered++
    this.#isLoose = false
    this.#tickets.push(ticket)
    return ticket
  }

  /** The oldest value that an item which is on its way or still to come may be pinned to. */
  get oldest(): unknown {
    const [first] = this.#tickets
    return first ? first.pinned : this.#pinned()
  }

  get #newest(): unknown {
    return this.#values ? this.#values.at(-1) : this.edge.first
  }

  /** The value for the next item. */
  #pinned(): unknown {
    this.#values ??= [this.edge.first]
    const needed = Math.min(Math.max(0, this.#passed - this.maxLag), this.#answered)
    // later items need later values
    this.#values.splice(0, this.#values.length - 1 - (this.#answered - needed))
    return this.#values[0]
  }

  readonly #settled = (ticket: Ticket): void => {
    this.#unanswered--
    ticket.done = true
    this.#values ??= [this.edge.first]
    for (let [first] = this.#tickets; first?.done; [first] = this.#tickets) {
      this.#tickets.shift()
      this.#answered++
      this.#values.push(first.answer ? first.answer.value : this.#newest)
    }
    this.#onSettle()
  }
}
