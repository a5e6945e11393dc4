// How processes share the work on a batch: part of the public contract in operator.ts.
import type { Config, Fields } from './fields.ts'

/** The processes that work on a batch together. Each has a share of it, and all of them do the same steps. */
export interface Team {
  /** The place of this process among them. The one that runs the graph is 0. */
  readonly rank: number
  readonly size: number
  /** What each process gives, by rank. Everyone waits until all have given theirs. */
  gather<T>(value: T): Promise<readonly T[]>
  /**
   * Sums over all processes of each number, in float32, added in the order of ranks. At most `mostSummed` numbers; the list
   * of sums is used again by the next call.
   */
  sum(numbers: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>>
  readonly mostSummed: number
}

/** The values of a process, in the order of the batch. Large ones may still be on their way, so it takes them by `for await`. */
export type Share<T> = Iterable<T> | AsyncIterable<T>

/** What a process does with its share of a batch. */
export type TeamWork<T, R> = (share: Share<T>, team: Team) => Promise<R>

/** Of an operator whose batches can be divided among processes: `flow run --learners`. */
export interface Teamed<F extends Fields, Context> {
  /** The field that says of how many pieces a batch is: a piece is never divided. */
  readonly pieces: string & keyof F
  /** Items of a piece; default 1. */
  items?(config: Config<F>): number
  /** What of a value another process needs; default all. */
  // biome-ignore lint/suspicious/noExplicitAny: an operator states the value type of its input itself.
  outgoing?(value: any): unknown
  /** Makes the work of another process: the same that the operator gives to `Context.together`. */
  // biome-ignore lint/suspicious/noExplicitAny: an operator states the value type of its input itself.
  work(config: Config<F>, context: Context): TeamWork<any, unknown>
}

/** The team of a process that works alone. */
export const alone: Team = {
  rank: 0,
  size: 1,
  gather: async value => [value],
  sum: async numbers => numbers,
  mostSummed: Number.POSITIVE_INFINITY,
}
