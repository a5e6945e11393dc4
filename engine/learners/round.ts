import type { CodedError } from '../shared/errors.ts'

/** Code of the error of a learner that gave a batch up because another one failed. */
export const givenUp = 'given-up'

interface Meeting {
  readonly values: unknown[]
  missing: number
  readonly met: Promise<readonly unknown[]>
  readonly resolve: (values: readonly unknown[]) => void
  readonly reject: (error: CodedError) => void
}

/** The meetings of all learners in one batch. */
export class Round {
  readonly batch: number
  readonly #size: number
  /** Tells the other learners what was given to a meeting. */
  readonly #tell: (meeting: number, values: readonly unknown[]) => void
  readonly #meetings = new Map<number, Meeting>()
  readonly #working = new Map<number, () => void>()
  #error: CodedError | undefined

  constructor(batch: number, size: number, tell: (meeting: number, values: readonly unknown[]) => void) {
    this.batch = batch
    this.#size = size
    this.#tell = tell
  }

  /** The first error of another learner. */
  get error(): CodedError | undefined {
    return this.#error
  }

  /** What a learner gives to a meeting; returns what all have given. */
  give(rank: number, meeting: number, value: unknown): Promise<readonly unknown[]> {
    const { values, met, resolve, reject } = this.#meeting(meeting)
    if (this.#error) reject(this.#error)
    values[rank] = value
    if (--this.#meeting(meeting).missing === 0) {
      this.#meetings.delete(meeting)
      this.#tell(meeting, values)
      resolve(values)
    }
    return met
  }

  /** Another learner begins; the promise ends when it has ended. */
  begin(rank: number): Promise<void> {
    return new Promise(done => this.#working.set(rank, done))
  }

  /** Another learner has ended its work, or is lost. */
  end(rank: number, error?: CodedError): void {
    if (error) this.fail(error)
    this.#working.get(rank)?.()
  }

  fail(error: CodedError): void {
    this.#error ??= error
    for (const { reject } of this.#meetings.values()) reject(this.#error)
  }

  #meeting(number: number): Meeting {
    const there = this.#meetings.get(number)
    if (there) return there
    let [resolve, reject]: [Meeting['resolve'], Meeting['reject']] = [() => {}, () => {}]
    const met = new Promise<readonly unknown[]>((...settle) => {
      ;[resolve, reject] = settle
    })
    met.catch(() => {}) // who waits for it hears of it
    const made = { values: [], missing: this.#size, met, resolve, reject }
    this.#meetings.set(number, made)
    return made
  }
}
