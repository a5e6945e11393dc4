import { useEffect, useState } from 'preact/hooks'
import type { NodeFacts } from '../../graph/node-facts.ts'
import type { Status } from '../../run/record/status.ts'
import type { ControlAction, Entry, Message, RunListing } from '../messages.ts'

/** What the page knows of a run. */
export interface RunData {
  id: string
  manifest: Entry
  nodes: readonly NodeFacts[]
  status: Status | undefined
  /** The status before the newest one: rates of edges are differences. */
  before: Status | undefined
  streams: Map<string, Entry[]>
  leftOut: Map<string, string>
}

/** Where messages come from, and what may be asked there. */
export interface Source {
  /** Shows these runs from now on. */
  watch(runs: readonly string[]): void
  /** The address of a picture in a run's folder. */
  picture(run: string, name: string): string
  /** Shows items that arrive at an input, until the function that it returns is called; undefined where nothing runs. */
  tap?(run: string, end: string, onItem: (item: Entry) => void): () => void
  control?(run: string, action: ControlAction): Promise<void>
  /** Asks the editor's side, e.g. to check a text. */
  edit?(name: string, body: unknown): Promise<unknown>
}

/** Everything that the page shows. Its parts read it anew when it has changed. */
export class Store {
  readonly runs = new Map<string, RunData>()
  listed: readonly RunListing[] = []
  control = false
  graph: string | null = null
  connected = true
  readonly #listeners = new Set<() => void>()
  #scheduled = false

  apply(message: Message): void {
    if (message.type === 'hello') {
      this.listed = message.runs
      this.control = message.control
      this.graph = message.graph
      for (const id of this.runs.keys())
        if (!message.runs.some(run => run.id === id && run.shown)) this.runs.delete(id)
    } else {
      const run = this.#run(message.run)
      if (message.type === 'manifest') run.manifest = message.manifest
      else if (message.type === 'nodes') run.nodes = message.nodes
      else if (message.type === 'status') {
        run.before = run.status
        run.status = message.status
      } else {
        const { stream, entries, reset, leftOut } = message
        if (leftOut !== undefined) run.leftOut.set(stream, leftOut)
        const before = reset ? [] : (run.streams.get(stream) ?? [])
        run.streams.set(stream, before)
        for (const entry of entries) before.push(entry)
      }
    }
    this.changed()
  }

  /** Parts are drawn at most once a frame, and not at all while the page is hidden. */
  changed(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    requestAnimationFrame(() => {
      this.#scheduled = false
      for (const listener of this.#listeners) listener()
    })
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A source that begins anew sends everything again. */
  clear(): void {
    this.runs.clear()
  }

  #run(id: string): RunData {
    const known = this.runs.get(id)
    if (known) return known
    const run: RunData = {
      id,
      manifest: {},
      nodes: [],
      status: undefined,
      before: undefined,
      streams: new Map(),
      leftOut: new Map(),
    }
    this.runs.set(id, run)
    return run
  }
}

/** Draws a part anew whenever the store has changed. */
export function useStore(store: Store): void {
  const [, draw] = useState(0)
  useEffect(() => store.listen(() => draw(count => count + 1)), [store])
}

export const textOf = (value: unknown): string =>
  value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)

export const numberIn = (entry: Entry, name: string): number | undefined => {
  const value = entry[name]
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** An older status is from a run whose process was killed. */
const staleMs = 6000

export function stateOf({ status, manifest, streams }: RunData, now = Date.now()): string {
  if (typeof manifest.status === 'string') return manifest.status
  if (!status) return streams.has('results') ? 'results of an evaluation' : 'starting'
  if (status.ended) return 'ended'
  if (now - status.time > staleMs) return 'no longer running'
  return status.paused ? 'paused' : 'running'
}
