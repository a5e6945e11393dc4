import { messageOf } from '../shared/errors.ts'
import { RunError } from './error.ts'
import { settles } from './settles.ts'

/** Opened things, closed at the end of a run in reverse order, also after an error. */
export class Lifetimes {
  readonly #shared = new Map<string, Promise<unknown>>()
  readonly #closers: { name: string; close: () => void | Promise<void> }[] = []

  /** Opens once for each key; every caller gets the same value or the same error. */
  share<T>(key: string, open: () => Promise<T>, close: (value: T) => void | Promise<void>): Promise<T> {
    const opened = this.#shared.get(key)
    // callers that share a key state the same type
    if (opened) return opened as Promise<T>
    const opening = this.open(`shared "${key}"`, open, close)
    this.#shared.set(key, opening)
    return opening
  }

  async open<T>(name: string, open: () => Promise<T>, close: (value: T) => void | Promise<void>): Promise<T> {
    const value = await settles(`opening ${name}`, open())
    this.#closers.push({ name, close: () => close(value) })
    return value
  }

  /** Closes everything, also after an error; returns the errors. */
  async closeAll(): Promise<RunError[]> {
    // an opening that is not finished would not be closed
    await Promise.allSettled(this.#shared.values())
    const errors: RunError[] = []
    for (let last = this.#closers.pop(); last; last = this.#closers.pop()) {
      try {
        await settles(`closing ${last.name}`, last.close())
      } catch (error) {
        errors.push(
          new RunError('resource-failed', `closing ${last.name}: ${messageOf(error)}`, { cause: error }),
        )
      }
    }
    return errors
  }
}
