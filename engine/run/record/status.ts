import { join } from 'node:path'
import type { Secrets } from '../../graph/secrets.ts'
import { replaceFile } from '../../shared/replace-file.ts'
import type { Ledger } from '../items/ledger.ts'
import type { Edge } from '../node/edge.ts'
import type { RunningNode } from '../node/node.ts'
import { openTaps } from './tap.ts'

/** How a run is getting on, as `status.json` says it: replaced in one step every second. */
export interface Status {
  /** Process that runs it. */
  process: number
  /** Milliseconds since 1970 of this status. */
  time: number
  /** Of the run so far. */
  seconds: number
  ended: boolean
  nodes: NodeStatus[]
  edges: EdgeStatus[]
  /** Values alive on edges and in nodes. */
  live: { items: number; bytes: number; peakItems: number; peakBytes: number }
  /** Numbers that parts of the run give, e.g. the bytes alive on the GPU. */
  gauges: Record<string, number>
  /** Numbers of the newest line of `metrics.jsonl`. */
  metrics: Record<string, number>
}

export interface NodeStatus {
  name: string
  operator: string
  state: 'working' | 'blocked' | 'waiting' | 'ended'
  /** Items handed to it; of a source, items that it gave. */
  items: number
  /** Items in a second, since the status before. */
  rate: number
  /** Seconds in which it had work under way; short work is timed by samples. */
  workSeconds: number
  /** Shares of the looks taken in which it worked, waited for room, waited for input. */
  working: number
  blocked: number
  waiting: number
  /** Of those it waited for room for, the node that it waited for most. */
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

export interface Observer {
  metrics(entry: Readonly<Record<string, unknown>>): void
  /** The state of things now. */
  status(ended?: boolean): Status
  /** Writes the last status. */
  end(): void
}

interface Observed {
  directory: string
  ledger: Ledger
  nodes: readonly RunningNode[]
  edges: readonly Edge[]
  gauges: ReadonlyMap<string, () => number>
  /** What samples of items do not show. */
  secrets: Secrets
  fail(error: unknown): void
  /** Told each status but the last. */
  onStatus(status: Status): void
}

const lookMs = 50
const looksInStatus = 20

/** Looks at a run from time to time; costs the items nothing. */
export function observe({
  directory,
  ledger,
  nodes,
  edges,
  gauges,
  secrets,
  fail,
  onStatus,
}: Observed): Observer {
  const begun = performance.now()
  const seen = new Map(
    nodes.map(node => [node, { working: 0, blocked: 0, waiting: 0, by: new Map<string, number>() }]),
  )
  const before = new Map<RunningNode, number>()
  const taps = openTaps(directory, edges, secrets)
  let metrics: Record<string, number> = {}
  let last = begun
  let looks = 0

  const blocking = (node: RunningNode) => edges.find(edge => edge.wire.from.node === node.name && edge.full)
  const stateOf = (node: RunningNode): NodeStatus['state'] => {
    if (node.state === 'ended') return 'ended'
    return node.working > 0 ? 'working' : blocking(node) ? 'blocked' : 'waiting'
  }
  const look = () => {
    looks++
    for (const [node, counts] of seen) {
      const state = stateOf(node)
      if (state !== 'ended') counts[state]++
      const edge = state === 'blocked' ? blocking(node) : undefined
      if (edge) counts.by.set(edge.consumer, (counts.by.get(edge.consumer) ?? 0) + 1)
    }
    if (looks % looksInStatus !== 0) return
    try {
      taps.look()
      const now = status()
      write(now)
      onStatus(now)
    } catch (error) {
      fail(error)
    }
  }
  const itemsOf = (node: RunningNode): number => {
    const incoming = edges.filter(edge => edge.consumer === node.name && !edge.latest)
    if (incoming.length > 0) return incoming.reduce((sum, edge) => sum + edge.taken, 0)
    return Math.max(0, ...edges.filter(edge => edge.wire.from.node === node.name).map(edge => edge.passed))
  }
  const status = (ended = false): Status => {
    const now = performance.now()
    const elapsed = Math.max((now - (ended ? begun : last)) / 1000, 1e-9)
    const list = nodes.map((node): NodeStatus => {
      const { by, ...counts } = seen.get(node) ?? { working: 0, blocked: 0, waiting: 0, by: new Map() }
      const items = itemsOf(node)
      const rate = (items - (ended ? 0 : (before.get(node) ?? 0))) / elapsed
      before.set(node, items)
      const total = Math.max(1, counts.working + counts.blocked + counts.waiting)
      const [blockedBy] = [...by].sort((a, b) => b[1] - a[1])[0] ?? []
      return {
        name: node.name,
        operator: node.planned.operatorName,
        state: ended ? 'ended' : stateOf(node),
        items,
        rate,
        workSeconds: node.workSeconds,
        working: counts.working / total,
        blocked: counts.blocked / total,
        waiting: counts.waiting / total,
        ...(blockedBy !== undefined && { blockedBy }),
      }
    })
    last = now
    const { live: items, bytes, peakLive: peakItems, peakBytes } = ledger
    return {
      process: process.pid,
      time: Date.now(),
      seconds: (now - begun) / 1000,
      ended,
      nodes: list,
      edges: edges.map(({ name, size, wire, bytes, passed, dropped, feedback, consumer, end }) => ({
        name,
        size,
        capacity: wire.capacity.items,
        bytes,
        passed,
        dropped,
        from: wire.from.node,
        to: consumer,
        end,
        feedback,
      })),
      live: { items, bytes, peakItems, peakBytes },
      gauges: Object.fromEntries([...gauges].map(([name, read]) => [name, read()])),
      metrics,
    }
  }
  // a status is worth nothing after a crash: it need not be forced to the disk
  const write = (status: Status) => {
    replaceFile(join(directory, 'status.json'), JSON.stringify(status), { durable: false })
  }
  const timer = setInterval(look, lookMs)
  timer.unref()
  return {
    metrics: entry => {
      metrics = Object.fromEntries(
        Object.entries(entry).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value]] : [])),
      )
    },
    status,
    end: () => {
      clearInterval(timer)
      taps.close()
      write(status(true))
    },
  }
}
