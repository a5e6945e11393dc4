import type { PlannedNode } from '../../graph/plan.ts'
import type { Item, LogLevel } from '../../operator.ts'
import type { Holder, Lease } from '../items/lease.ts'
import type { Ledger } from '../items/ledger.ts'
import type { Origin } from '../items/trace.ts'
import type { Cursor } from './cursor.ts'
import type { Scheduler } from './scheduler.ts'

/** A part of a node that waits for room on the edges after it. */
export type Waiter = () => void

/** What `each` and `source` use of the node that they run in. */
export interface Host extends Holder {
  readonly name: string
  readonly ledger: Ledger
  readonly credits: number
  readonly signal: AbortSignal
  /** Attempts after the first. */
  readonly retries: number
  /** Wait before the second attempt; each later one waits twice as long. */
  readonly backoffMs: number
  /** Work began that will `end`: the run is not quiet and the node must not be torn down until then. */
  begin(): void
  end(): void
  /** Looks again soon. */
  wake(): void
  /** Whether an item of this size may be emitted. */
  hasRoom(bytes: number): boolean
  /** Calls back once there may be room. */
  whenRoom(waiter: Waiter): void
  /** All that descends from an item of a source is released. */
  acknowledged(origin: Origin): void
  /** Follows a source for checkpoints; undefined when the run takes none. */
  cursor(): Cursor | undefined
  /** An item could not be worked on, after all attempts: the node's policy decides. Its lease is still open. */
  failed(error: unknown, item: Item): void
  addSource(source: SourcePump): void
  /** When nothing else can happen the operator is told which of its items have no partner. */
  releasesPartnerless(release: PartnerRelease): void
}

/** What an operator does about items whose partner can no longer arrive. */
export type PartnerRelease = (isAlone: (item: Item) => boolean) => void

/** A source inside a node: told to look whether it may go on, and to stop. */
export interface SourcePump {
  advance(): void
  /** Returns whether it had not ended by itself. */
  stop(): boolean
}

/** What a node asks of the run around it. */
export interface NodeHost {
  readonly ledger: Ledger
  readonly scheduler: Scheduler
  /** The run must end with this error. */
  fail(error: unknown): void
  /** An item was given up: it goes to the dead letters. */
  skipped(node: PlannedNode, item: Lease, error: unknown): void
  acknowledged(origin: Origin): void
  log(message: string, level?: LogLevel): void
  ended(): void
  /** Nothing is left in the process that could wake a node or end its work. False while a save fails by itself. */
  idle(): boolean
  cursor(node: string): Cursor | undefined
}
