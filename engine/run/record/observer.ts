import { hideIn, type Secrets } from '../../graph/secrets.ts'
import type { Progress } from '../../operator.ts'
import { clock } from '../../platform/clock.ts'
import { join } from '../../platform/paths.ts'
import { processes } from '../../platform/processes.ts'
import { replaceFile } from '../../shared/replace-file.ts'
import type { Ledger } from '../items/ledger.ts'
import type { Edge } from '../node/edge.ts'
import type { RunningNode } from '../node/node.ts'
import { type Request, takeRequests } from './control.ts'
import type { Instruments } from './instruments.ts'
import { NodeStatistics } from './node-statistics.ts'
import type { EdgeStatus, Status, WorkerState } from './status.ts'
import { openTaps } from './tap.ts'

/** Watches a run and writes its status. */
export interface Observer {
  /** Takes the newest line of `metrics.jsonl`. */
  metrics(entry: Readonly<Record<string, unknown>>): void
  /** Writes the last status. */
  end(): void
}

interface Observed {
  directory: string
  ledger: Ledger
  nodes: readonly RunningNode[]
  edges: readonly Edge[]
  instruments: Instruments
  /** Of the home part of several processes. */
  workers?: (() => readonly WorkerState[]) | undefined
  /** Hidden in the status and in the items that taps show. */
  secrets: Secrets
  fail(error: unknown): void
  paused(): boolean
  progress(): Progress | undefined
  /** Called with what a file in the run's folder asks for. */
  onRequest(request: Request): void
  /** Called with each status but the last. */
  onStatus(status: Status): void
}

const observationMs = 50
const observationsPerStatus = 20

/** Starts to observe a run, by a timer: it costs the items nothing. */
export function observe(run: Observed): Observer {
  const begin = performance.now()
  const statistics = new NodeStatistics(run.nodes, run.edges)
  const taps = openTaps({ ...run, readers: run.instruments.readers })
  takeRequests(run.directory) // those were made to an earlier process
  let metrics: Record<string, number> = {}
  let observations = 0

  const status = (ended: boolean, progress = run.progress()): Status => ({
    process: processes.id,
    time: Date.now(),
    seconds: (performance.now() - begin) / 1000,
    ended,
    paused: run.paused(),
    nodes: statistics.read(ended),
    edges: run.edges.map(edgeStatus),
    live: liveOf(run.ledger),
    gauges: Object.fromEntries([...run.instruments.gauges].map(([name, read]) => [name, read()])),
    metrics,
    ...(run.workers && { workers: run.workers() }),
    ...(progress && { progress }),
  })
  const write = (status: Status) => {
    // after a crash of the machine nobody needs it
    replaceFile(join(run.directory, 'status.json'), JSON.stringify(hideIn(status, run.secrets)), {
      durable: false,
    })
  }
  const timer = setInterval(() => {
    statistics.observe()
    if (++observations % observationsPerStatus !== 0) return
    try {
      taps.look()
      for (const request of takeRequests(run.directory)) run.onRequest(request)
      const now = status(false)
      write(now)
      run.onStatus(now)
    } catch (error) {
      run.fail(error)
    }
  }, observationMs)
  clock.letGo(timer)
  return {
    metrics: entry => {
      metrics = numbersIn(entry)
    },
    end: () => {
      clearInterval(timer)
      taps.close()
      write(status(true))
    },
  }
}

const edgeStatus = (edge: Edge): EdgeStatus => ({
  name: edge.name,
  size: edge.size,
  capacity: edge.wire.capacity.items,
  bytes: edge.bytes,
  passed: edge.passed,
  dropped: edge.dropped,
  from: edge.wire.from.node,
  to: edge.consumer,
  end: edge.end,
  feedback: edge.feedback,
})

const liveOf = ({ live, bytes, peakLive, peakBytes }: Ledger): Status['live'] => {
  return { items: live, bytes, peakItems: peakLive, peakBytes }
}

function numbersIn(entry: Readonly<Record<string, unknown>>): Record<string, number> {
  const numbers = Object.entries(entry).filter(
    (pair): pair is [string, number] => typeof pair[1] === 'number',
  )
  return Object.fromEntries(numbers)
}
