/** First in, first out. Its array neither moves nor shrinks while little waits: putting and taking allocate nothing. */
export class Queue<T> {
  #items: (T | undefined)[] = []
  #head = 0
  #tail = 0

  get size(): number {
    return this.#tail - this.#head
  }

  /** What waits, the first in first. */
  get all(): readonly T[] {
    return this.#items.slice(this.#head, this.#tail).flatMap(item => (item === undefined ? [] : [item]))
  }

  push(item: T): void {
    this.#items[this.#tail++] = item
  }

  shift(): T | undefined {
    if (this.#head === this.#tail) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head === this.#tail) {
      this.#head = 0
      this.#tail = 0
    } else if (this.#head > manyTaken && this.#head * 2 > this.#tail) {
      this.#items = this.#items.slice(this.#head, this.#tail)
      this.#tail -= this.#head
      this.#head = 0
    }
    return item
  }
}

/** Places at the front that may stay empty before the others move up. */
const manyTaken = 64
