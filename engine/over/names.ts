// Names and messages that the home part and the workers agree on.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Skipped } from '../run/items/trace.ts'
import { packageVersion } from '../shared/package-name.ts'

/** The bucket in which runs announce themselves. */
export const bucket = 'flow_runs'

/** One start of a run: messages of an earlier start have other names, so nobody takes them for messages of this one. */
export interface Epoch {
  readonly run: string
  readonly epoch: string
}

export const streamOf = ({ run, epoch }: Epoch): string => `FLOW_${run}_${epoch}`
export const prefixOf = ({ run, epoch }: Epoch): string => `flow.${run}.${epoch}`
/** A part's name where no slash may stand. */
export const slugOf = (part: string): string => part.replaceAll('/', '-')
export const workOf = (epoch: Epoch, part: string): string => `${prefixOf(epoch)}.do.${slugOf(part)}`
export const doneOf = (epoch: Epoch): string => `${prefixOf(epoch)}.done`
export const piecesOf = (epoch: Epoch): string => `${prefixOf(epoch)}.piece`
export const statusOf = (epoch: Epoch): string => `${prefixOf(epoch)}.status`

/** Headers of a message. */
export const header = { id: 'Flow-Id', chunk: 'Flow-Chunk', from: 'Flow-From', piece: 'Flow-Piece' } as const

/** What a run says of itself in the bucket. */
export interface Announcement extends Epoch {
  readonly status: 'running' | 'ended'
  /** It was asked to stop and keeps no checkpoint: what nobody has begun is left. */
  readonly isStopping: boolean
  /** Milliseconds since 1970. */
  readonly started: number
  /** Of flow. */
  readonly version: string
  readonly seed: number
  readonly graph: string
  /** The text of each graph file. */
  readonly sources: Readonly<Record<string, string>>
  readonly set: readonly string[]
  /** As `--part` takes them. */
  readonly parts: readonly string[]
  /** Names of the parts that have workers. */
  readonly names: readonly string[]
  /** Digest of each model that a part opens, by the name of its resource. */
  readonly models: Readonly<Record<string, string>>
  readonly plugins: readonly string[]
  readonly leaseSeconds: number
  /** Where the home part runs, and its folder there. */
  readonly host: string
  readonly directory: string
}

/** The files of one version, by resource. */
export interface Version {
  /** Where the process that made it has them. */
  readonly folder: string
  readonly files: readonly VersionFile[]
}

export interface VersionFile {
  /** Path in the folder; its first step is the name of the resource. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

/** An item on its way to a worker, next to its packed value. */
export interface Order {
  readonly id: string
  /** The input of the part, as `node.port`. */
  readonly port: string
  readonly key: string
  /** The node that the item's source item came from: its seed depends on it. */
  readonly source: string
  /** For each input that sees the newest item only: the value that the item is worked on with. */
  readonly latest: Readonly<Record<string, { value: unknown; version?: Version }>>
  readonly value: unknown
}

/** One item that came of an order, with its packed value. */
export interface Outcome {
  /** The output of the part, as `node.port`. */
  readonly port: string
  readonly key: string
  readonly bytes: Uint8Array
}

/** What became of an order: the items in order, and what was skipped; or the error that ended the worker. */
export interface Reply {
  readonly id: string
  readonly worker: string
  /** `length` is that of the item's bytes, which follow. */
  readonly items: readonly { port: string; key: string; length: number }[]
  readonly faults: readonly Skipped[]
  /** Something of it was left undone, because the run is stopping. */
  readonly isLeft: boolean
  readonly error?: { readonly code: string; readonly message: string }
}

/** What a worker says each second. */
export interface WorkerStatus {
  readonly worker: string
  readonly part: string
  readonly process: number
  readonly host: string
  /** Orders that it holds, and those that it has done. */
  readonly leases: number
  readonly done: number
  /** The value that its items are worked on with now. */
  readonly version: unknown
  /** Why it ends, when its machine has failed, e.g. its GPU. */
  readonly fault?: string
}

/** The folder in that of a run for what is too large for messages; see `WireContext`. */
export const nearbyOf = (directory: string): string => join(directory, 'over', 'values')

/** Processes with the same text see the same files. */
export function hostText(): string {
  try {
    return `${hostname()} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`
  } catch {
    return hostname()
  }
}

export const ownVersion = packageVersion()
