import { at } from '../shared/at.ts'
import type { Packed, Unpacked, WireContext, WireForm } from '../wire-form.ts'

/** Values that are unpacked while the work on those before them goes on. */
const ahead = 2

/** The share of a learner: its values in order, each unpacked shortly before it is asked for. */
export class Arriving implements AsyncIterable<unknown> {
  readonly #packed: readonly Packed[]
  readonly #form: WireForm
  readonly #context: WireContext
  readonly #begun: Promise<Unpacked<unknown>>[] = []

  constructor(packed: readonly Packed[], form: WireForm, context: WireContext) {
    this.#packed = packed
    this.#form = form
    this.#context = context
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    for (let i = 0; i < this.#packed.length; i++) {
      this.#begin(i + 1 + ahead)
      const { value } = await at(this.#begun, i)
      yield value
    }
  }

  /** Frees the values. */
  async free(): Promise<void> {
    for (const one of await Promise.allSettled(this.#begun))
      if (one.status === 'fulfilled') one.value.dispose?.()
  }

  /** Begins to unpack the values up to a place. */
  #begin(end: number): void {
    for (const packed of this.#packed.slice(this.#begun.length, end)) {
      const unpacked = (async () => this.#form.unpack(packed, this.#context))()
      unpacked.catch(() => {}) // who asks for the value is told
      this.#begun.push(unpacked)
    }
  }
}
