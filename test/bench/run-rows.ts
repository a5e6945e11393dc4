import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Status } from '../../engine/run/record/status.ts'
import type { FlowProcess } from './flow-process.ts'

/** One update of a run, as its files tell it from outside. */
export interface Row {
  update: number
  /** Since the update before, or since the start of the process. */
  seconds: number
  generateSeconds: number
  updateSeconds: number
  /** Bytes of all live buffers of the GPU, the least in any status since the update before. */
  gpuBytes: number
  /** The most that the process ever held. */
  gpuPeakBytes: number
  residentBytes: number
  /** What the update computed. */
  numbers: string
}

/** The updates of a run after number `from`, as they are done. A reader that leaves early kills the process. */
export async function* rowsOf(flow: FlowProcess, directory: string, from: number): AsyncGenerator<Row> {
  const { child, ended } = flow
  let [done, before, gpuBytes] = [from, performance.now(), Number.POSITIVE_INFINITY]
  try {
    for (let over = false; !over; ) {
      over = await Promise.race([ended.then(() => true), delay(lookMs).then(() => false)])
      const status = statusOf(directory)
      // Until the process has cut the files of a run back, they are those of the one before.
      if (!status || status.process !== child.pid) continue
      const { 'gpu bytes': alive = Number.POSITIVE_INFINITY, 'gpu peak bytes': gpuPeakBytes = 0 } =
        status.gauges
      gpuBytes = Math.min(gpuBytes, alive)
      for (const metrics of metricsOf(directory)) {
        if (metrics.step <= done) continue
        const now = performance.now()
        yield {
          update: metrics.step,
          seconds: (now - before) / 1000,
          generateSeconds: metrics.generate_seconds,
          updateSeconds: metrics.update_seconds,
          gpuBytes,
          gpuPeakBytes,
          residentBytes: residentOf(status.process),
          numbers: JSON.stringify([metrics.loss, metrics.kl, metrics.grad_norm]),
        }
        ;[done, before, gpuBytes] = [metrics.step, now, alive]
      }
    }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

const lookMs = 50

/** Replaced as a whole, so that it is never half of one. */
function statusOf(directory: string): Status | undefined {
  const path = join(directory, 'status.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Status) : undefined // the engine wrote it
}

/** The whole lines so far. */
function metricsOf(directory: string): Record<string, number>[] {
  const path = join(directory, 'metrics.jsonl')
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map(line => JSON.parse(line))
}

/** Bytes that a process has in memory; 0 once it has ended, and where the system has no /proc. */
function residentOf(id: number): number {
  const path = `/proc/${id}/status`
  if (!existsSync(path)) return 0
  return Number(/VmRSS:\s*(\d+) kB/.exec(readFileSync(path, 'utf8'))?.[1] ?? 0) * 1024
}
