// What the process of a run and its other learners tell each other.
import type { StoredFault } from './stored-fault.ts'

export interface Beginning {
  readonly rank: number
  readonly size: number
  readonly graph: string
  readonly sources: Readonly<Record<string, string>>
  readonly set: readonly string[]
  readonly plugins: readonly { name: string; folder: string }[]
  readonly seed: number
  /** The folder of the learner's logs. */
  readonly folder: string
  /** The folder of the run, for paths that operators make. */
  readonly directory: string
  /** The folder of the checkpoint that the run goes on from. */
  readonly from?: string
}

export type ToLearner =
  | ({ readonly type: 'begin' } & Beginning)
  /** A share of a batch; its values lie one after the other in the learner's own memory. */
  | { readonly type: 'batch'; readonly batch: number; readonly node: string; readonly lengths: number[] }
  | {
      readonly type: 'met'
      readonly batch: number
      readonly meeting: number
      readonly values: readonly unknown[]
    }
  /** Another process failed in a batch: it is given up. */
  | { readonly type: 'given-up'; readonly batch: number }
  | { readonly type: 'end' }

export type FromLearner =
  | { readonly type: 'alive' }
  /** It has the resources, and waits for batches. */
  | { readonly type: 'ready' }
  | {
      readonly type: 'gives'
      readonly batch: number
      readonly meeting: number
      readonly value: unknown
    }
  /** It has ended its work on a batch. */
  | { readonly type: 'ended'; readonly batch: number; readonly fault?: StoredFault }
  /** It cannot go on. */
  | { readonly type: 'failed'; readonly fault: StoredFault }
