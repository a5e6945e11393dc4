import { messageOf } from '../shared/errors.ts'
import { RunError } from './error.ts'

/** Things that were opened and must be closed, the last one first, whatever happens. */
export class Lifetimes {
  readonly #shared = new Map<string, Promise<unknown>>()
  readonly #closers: { name: string; close: () => void | Promise<void> }[] = []

  /** Opens once for a key; everybody who asks gets the same value or the same error. */
  share<T>(key: string, open: () => Promise<T>, close: (value: T) => void | Promise<void>): Promise<T> {
    const known = this.#shared.get(key)
    // one key stands for one type: that is what asking by key means
    if (known) return known as Promise<T>
    const opening = this.open(`shared "${key}"`, open, close)
    this.#shared.set(key, opening)
    return opening
  }

  async open<T>(name: string, open: () => Promise<T>, close: (value: T) => void | Promise<void>): Promise<T> {
    const value = await open()
    this.#closers.push({ name, close: () => close(value) })
    return value
  }

  /** Closes all, going on after an error; returns the errors. */
  async closeAll(): Promise<RunError[]> {
    // what is still opening would be missed
    await Promise.allSettled(this.#shared.values())
    const errors: RunError[] = []
    for (let last = this.#closers.pop(); last; last = this.#closers.pop()) {
      try {
        await last.close()
      } catch (error) {
        errors.push(
          new RunError('resource-failed', `closing ${last.name}: ${messageOf(error)}`, { cause: error }),
        )
      }
    }
    return errors
  }
}
