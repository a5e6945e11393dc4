import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type Random, randomOf } from '../../engine/run/random-graph.ts'
import { startFlow } from '../flow-process.ts'
import { machineFaults } from './faults.ts'
import { beginning, type Job, jobs } from './jobs.ts'
import { Stage } from './stage.ts'

/** Seconds after which a run over many processes hangs. */
const hangSeconds = 300

/**
 * Runs each job in one process. Then runs the jobs in turn over a server, a home part and workers, which random faults strike,
 * until `faults` of them have struck. A job must compute the same each time, and leave nothing on the server.
 */
export async function* machines(options: {
  readonly faults: number
  readonly workers: number
  readonly seed: number
}): AsyncGenerator<string, number> {
  const random = randomOf(options.seed)
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-machines-'))
  yield `in ${folder}`
  const alone = new Map<Job, unknown>()
  for (const job of jobs) {
    const place = join(folder, `alone ${job.name}`)
    await startFlow(beginning(job, place), join(folder, 'alone.log')).ended
    alone.set(job, job.outcome(place))
  }
  let [struck, wrong] = [0, 0]
  const counts = new Map<string, number>()
  for (let run = 0; struck < options.faults; run++) {
    const job = jobs[run % jobs.length] as Job
    const place = join(folder, String(run))
    const stage = new Stage(job, place)
    await stage.open(options.workers)
    const names = await strikeUntilEnd(stage, random)
    struck += names.length
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
    const faults = await faultsOf(stage, job, place, alone.get(job))
    await stage.close()
    yield `${job.name}, run ${run + 1}: ${names.length} faults; ${faults.join('; ') || 'equal, nothing left'}`
    if (faults.length > 0) {
      wrong++
      for (const name of names) yield `  ${name}`
      yield stage.said
    } else rmSync(place, { recursive: true, force: true })
  }
  for (const [name, count] of [...counts].sort()) yield `${count} × ${name}`
  yield `${struck} faults, ${wrong} runs are wrong`
  if (wrong === 0) rmSync(folder, { recursive: true, force: true })
  return wrong
}

/** Strikes while the home part runs; the names of the faults. */
async function strikeUntilEnd(stage: Stage, random: Random): Promise<string[]> {
  const struck: string[] = []
  const until = performance.now() + hangSeconds * 1000
  while (stage.homeCode === undefined && performance.now() < until) {
    const next = performance.now() + 500 + random() * 4000
    while (stage.homeCode === undefined && performance.now() < next) await delay(50)
    const fault = machineFaults[Math.floor(random() * machineFaults.length)]
    if (stage.homeCode !== undefined || !fault) continue
    // after many faults a run is left alone, so that it can end
    if (struck.length >= 12) continue
    struck.push(fault.name)
    await fault.strike(stage, random)
  }
  return struck
}

async function faultsOf(stage: Stage, job: Job, place: string, right: unknown): Promise<string[]> {
  if (stage.homeCode === undefined) return [`hangs: it has not ended after ${hangSeconds} s`]
  if (stage.homeCode !== 0) return [`exit code ${stage.homeCode}`]
  const differs = isDeepStrictEqual(job.outcome(place), right) ? [] : ['the outcome differs']
  return [...differs, ...(await stage.leftOver())]
}
