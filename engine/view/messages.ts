import type { NodeFacts } from '../graph/node-facts.ts'
import type { Status } from '../run/record/status.ts'

/** One line of a stream of a run. */
export type Entry = Readonly<Record<string, unknown>>

/** What the page learns, in order: as server-sent events of a live view, as a list in a saved report. */
export type Message =
  | { type: 'hello'; control: boolean; graph: string | null; runs: readonly RunListing[] }
  | { type: 'manifest'; run: string; manifest: Entry }
  | { type: 'nodes'; run: string; nodes: readonly NodeFacts[] }
  | { type: 'status'; run: string; status: Status }
  | LinesMessage

export interface LinesMessage {
  type: 'lines'
  run: string
  stream: string
  entries: readonly Entry[]
  /** The stream begins anew: a resumed run has cut its file. */
  reset?: boolean
  /** Lines or bytes before the first one that are not shown. */
  leftOut?: string
}

/** A run that the page may show. */
export interface RunListing {
  /** Its folder, as the command named it. */
  id: string
  shown: boolean
}

/** What a saved report holds. */
export interface SavedData {
  messages: readonly Message[]
  /** JPEG files as base64, by their names in the run's folder. */
  pictures: Readonly<Record<string, string>>
}

/** What the page may ask of a run with `--control`. */
export const controlActions = ['pause', 'continue', 'checkpoint', 'stop'] as const
export type ControlAction = (typeof controlActions)[number]
