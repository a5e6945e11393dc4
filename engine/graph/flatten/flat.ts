import { isObject } from '../../shared/json.ts'
import { dotted, type Path, type Source } from '../file/graph-file.ts'
import { defaultCapacity } from '../file/graph-schema.ts'
import type { Interpolated } from '../file/interpolate.ts'
import type { Problem } from '../problem.ts'

/** A graph with its sub-graphs put in place: plain nodes with prefixed names (`clips/decode`). */
export interface Level {
  summary: string
  nodes: FlatNode[]
  resources: FlatResource[]
  /** Of a sub-graph: the ends inside that an input feeds. */
  inputs: Map<string, End[]>
  /** Of a sub-graph: the end inside that an output is. */
  outputs: Map<string, End>
  params: Record<string, unknown>
  /** Groups of nodes that other processes may run. */
  parts: FlatPart[]
  /** When a run of it writes a checkpoint. */
  checkpoint: Cadence | undefined
  /** The graph's value for the manifest. */
  shown: unknown
}

/** When a run writes a checkpoint, and how many of them stay. */
export interface Cadence {
  /** Items that each source gives between two checkpoints; 0: only at the end and when interrupted. */
  readonly every: number
  readonly keep: number
  /** Name of a metric, or '' for none. */
  readonly best: string
}

export interface FlatNode {
  name: string
  /** Prefix of the sub-graph that it is in, '' at the top: names of resources are looked up there first. */
  scope: string
  operator: string
  config: Record<string, unknown>
  onError: OnError
  /** Items worked on at the same time, instead of the number that the operator asks for. */
  parallel?: number
  wires: Wire[]
  /** Its structure is wrong, which has been reported: nothing else of it is checked. */
  broken: boolean
  at: Locator
}

export interface FlatResource {
  name: string
  scope: string
  resource: string
  config: Record<string, unknown>
  broken: boolean
  at: Locator
}

/** A group of nodes that other processes may run. */
export interface FlatPart {
  name: string
  /** Names of nodes, or of sub-graphs for all nodes inside. */
  nodes: readonly string[]
  /** Items that all its workers together may hold unfinished. */
  credits?: number
  /** The place of the n-th name of a node, or of the part itself. */
  place(index?: number): Pick<Problem, 'place' | 'path'>
}

export type OnError = 'stop' | 'skip' | Retry

/** More attempts after the first, and then the end of the run or the dead letters. */
export interface Retry {
  readonly retry?: number
  /** Milliseconds before the second attempt; each later one waits twice as long. */
  readonly backoffMs?: number
  /** What to do when the last attempt fails, too. */
  readonly otherwise?: 'stop' | 'skip'
  /** Skips what fails, at most this share of the items of the run. */
  readonly skip?: number
}

/** What happens when no attempt is left. */
export const lastResort = (onError: OnError): 'stop' | 'skip' => {
  if (typeof onError !== 'object') return onError
  return onError.skip === undefined ? (onError.otherwise ?? 'stop') : 'skip'
}

export interface End {
  node: string
  port: string
}

/** One edge as its consumer states it, defaults filled in. */
export interface Wire {
  port: string
  from: End
  capacity: { items: number; bytes: number }
  whenFull: 'block' | 'drop-oldest' | 'error'
  keep: 'all' | 'latest'
  /** Present, even when it is `null`, on an edge that starts with a value. */
  initial?: { value: unknown }
  maxLag?: number
  at: Locator
}

/** The place of a part: a path in a file. */
export interface Locator {
  source: Source
  path: Path
  graph: Interpolated
  /** Of a part of a sub-graph: the node that is the sub-graph. */
  within?: Locator
}

/** The value at a path for a message, unless it came from the environment. */
export function foundAt(graph: Interpolated, path: Path, found: string | undefined): Pick<Problem, 'found'> {
  return found === undefined || graph.secrets.has(dotted(path)) ? {} : { found }
}

/** The path `steps` below a locator, as a place and a dotted path for a problem. */
export function locate(
  at: Locator,
  steps: Path = [],
  part: 'key' | 'value' = 'value',
): Pick<Problem, 'place' | 'path'> {
  const path = [...at.path, ...steps]
  const given = at.graph.given.get(dotted(path))
  if (given) return given
  return { place: at.source.place(path, part), path: dotted(path) }
}

export const endName = (end: End): string => `${end.node}.${end.port}`

/** The edges that a node's `from` states, its structure having been checked. */
export function wiresOf(from: unknown, at: Locator): Wire[] {
  return Object.entries(isObject(from) ? from : {}).flatMap(([port, stated]) => {
    const path = [...at.path, 'from', port]
    if (!Array.isArray(stated)) return [wireOf(port, stated, { ...at, path })]
    return stated.map((one, i) => wireOf(port, one, { ...at, path: [...path, i] }))
  })
}

function wireOf(port: string, stated: unknown, at: Locator): Wire {
  // validation has filled the defaults into an edge that is an object; one that is a string has them all
  const edge = (isObject(stated) ? stated : { edge: stated }) as Partial<Omit<Wire, 'initial'>> & {
    edge: string
    initial?: unknown
  }
  return {
    port,
    from: endOf(edge.edge),
    capacity: edge.capacity ?? defaultCapacity,
    whenFull: edge.whenFull ?? 'block',
    keep: edge.keep ?? 'all',
    ...('initial' in edge && { initial: { value: edge.initial } }),
    ...(edge.maxLag !== undefined && { maxLag: edge.maxLag }),
    at,
  }
}

/** `node.port` as its two parts. */
export function endOf(text: string): End {
  const dot = text.lastIndexOf('.')
  return { node: text.slice(0, dot), port: text.slice(dot + 1) }
}
