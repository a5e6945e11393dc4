import type { Progress } from '../../operator.ts'

/** The state of a run, as `status.json` holds it: replaced every second. */
export interface Status {
  /** Id of the process that runs it. */
  process: number
  /** Milliseconds since 1970 of this status. */
  time: number
  /** Of this process so far. */
  seconds: number
  ended: boolean
  paused: boolean
  /** How far it has come; absent where nothing says it. */
  progress?: Progress
  nodes: NodeStatus[]
  edges: EdgeStatus[]
  /** Values that are not freed yet, on edges and in nodes. */
  live: { items: number; bytes: number; peakItems: number; peakBytes: number }
  /** Processes that run parts of the graph; absent where one process runs all of it. */
  workers?: readonly WorkerState[]
  /** Numbers from `Context.gauge`, e.g. the bytes alive on the GPU. */
  gauges: Record<string, number>
  /** Numbers of the newest line of `metrics.jsonl`. */
  metrics: Record<string, number>
}

/** What a process that runs a part of the graph said last. */
export interface WorkerState {
  worker: string
  part: string
  process: number
  host: string
  /** Items that it holds, and those that it has done. */
  leases: number
  done: number
  /** The version that it works with, e.g. of weights. */
  version: unknown
  /** Seconds since it said so. */
  silent: number
}

export interface NodeStatus {
  name: string
  operator: string
  state: 'working' | 'blocked' | 'waiting' | 'ended'
  /** Items handed to it; for a source, items that it emitted. */
  items: number
  /** Items per second since the previous status. */
  rate: number
  /** Seconds in which its operator was working; short calls are timed by samples. */
  workSeconds: number
  /** Shares of the observations in which it worked, waited for room, waited for input. */
  working: number
  blocked: number
  waiting: number
  /** The node whose input it waited for most often. */
  blockedBy?: string
}

export interface EdgeStatus {
  name: string
  size: number
  capacity: number
  bytes: number
  passed: number
  dropped: number
  from: string
  to: string
  /** The input that it leads to, as node.port. */
  end: string
  feedback: boolean
}
