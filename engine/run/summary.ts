import type { Plan } from '../graph/plan.ts'
import type { Durable, LogLevel, Progress } from '../operator.ts'
import type { RunError } from './error.ts'
import type { Lease } from './items/lease.ts'
import type { Skipped } from './items/trace.ts'
import type { CheckpointPart, Together } from './node/context.ts'
import type { Status, WorkerState } from './record/status.ts'

export interface RunOptions {
  seed: number
  /** Folder for the run's files; created if it does not exist. */
  directory: string
  onEvent?: (event: RunEvent) => void
  /** Seconds without any event, while RxJS holds items that a timer might free, until the run counts as stalled. */
  stallSeconds?: number
  /** After an abort, seconds until the items of work that still runs are freed. */
  abortSeconds?: number
  /** Folder of the checkpoint to continue from; the run's files have been truncated to it, and `seed` is the same. */
  from?: string
  /** Seconds that a run which is continued had taken before. */
  secondsBefore?: number
  /** Facts that the manifest had before a resume; another kernel family in `adapter` ends the run. */
  expected?: Readonly<Record<string, unknown>>
  /** Of a run that is one of the processes of a graph. */
  link?: RunLink
  /** Divides batches among several learners. */
  together?: Together
  /** Facts for the manifest, added to the engine's own. */
  facts?: Readonly<Record<string, unknown>>
}

export type RunEvent =
  | { type: 'record'; stream: string; entry: Readonly<Record<string, unknown>> }
  | { type: 'log'; message: string; level: LogLevel; node?: string }
  | { type: 'progress'; state: Progress }
  /** `open`: items of sources that are still on their way. */
  | { type: 'acknowledged'; key: string; open: number }
  | { type: 'status'; status: Status }

/** How the process of a run is linked with those that run the other parts of its graph. */
export interface RunLink {
  /** The graph with all parts. */
  readonly whole: Plan
  /** Of a worker, where it can write there: the folder of the home part, for files that operators write. */
  readonly filesDirectory?: string
  /** The home part alone judges how many items may be skipped. */
  readonly isHome: boolean
  /** Of a worker: the home part was asked to stop, and keeps no checkpoint. */
  readonly isStopping?: boolean
  /** Of the home part, which keeps no checkpoint: it was asked to stop. */
  stop?(): void
  /** The run begins. */
  begin(run: LinkedRun): void
  /** A node or a resource has registered the state that it changes. */
  durable(part: CheckpointPart, state: Durable): void
  /** Brings a part to the state that the other processes have: a resource is open, or a node is about to start. */
  restore?(part: CheckpointPart): Promise<void>
  /** Of the home part: what its workers said last. */
  status?(): readonly WorkerState[]
}

/** A run, as its link sees it. */
export interface LinkedRun {
  resource(name: string, scope: string): unknown
  /** A worker has skipped an item that descends from this one. */
  bury(fault: Skipped, item: Lease): void
  fail(error: unknown): void
  log(message: string, level?: LogLevel): void
  readonly signal: AbortSignal
}

/** How a run ended. It never throws: an error is a value here. */
export interface RunSummary {
  /** `stopped`: the sources were stopped from outside, everything drained, and the state is in a checkpoint if the graph has any. */
  status: 'completed' | 'stopped' | 'failed' | 'aborted'
  error?: RunError
  directory: string
  /** In all; of a run that was continued, those of all its parts. */
  seconds: number
  /** Source items of which every descendant was released without a failure, and none was left undone. */
  acknowledged: number
  /** Items that failed and went to the dead letters. */
  skipped: number
  /** Items that full edges dropped. */
  dropped: number
  /** Values never freed; more than zero is an error of its own. */
  leaked: number
  peakItems: number
  peakBytes: number
}

/** A run that has started. */
export interface Run {
  readonly done: Promise<RunSummary>
  /** Items of sources that are on their way now. */
  readonly open: number
  /** Ends the sources; items already emitted are still processed, but for those that operators leave: `Context.leaves`. */
  stop(): void
  /** Ends everything now and frees it. With an error the run failed, without one it was aborted. */
  abort(error?: unknown): void
}

export function statusOf(error: RunError | undefined, isStopped: boolean): RunSummary['status'] {
  if (error) return error.code === 'aborted' ? 'aborted' : 'failed'
  return isStopped ? 'stopped' : 'completed'
}
