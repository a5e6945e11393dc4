import { appendFileSync, existsSync, readdirSync, rmSync } from '../../platform/files.ts'
import { join } from '../../platform/paths.ts'
import { folderInside } from '../../shared/inside.ts'
import type { Checkpoints } from '../checkpoint/checkpoint.ts'
import type { Network } from '../node/network.ts'
import type { Scheduler } from '../node/scheduler.ts'

/** What a run can be asked for while it runs. */
export type Request = 'pause' | 'continue' | 'checkpoint' | 'stop'

const requests: readonly Request[] = ['pause', 'continue', 'checkpoint', 'stop']
const folderName = 'control'

/** Asks a run for something, by a file in its own folder; the run sees it within a second. */
export function askRun(directory: string, request: Request): void {
  appendFileSync(join(folderInside(directory, folderName), request), '.')
}

/** The requests that were made since the last look, which are removed. */
export function takeRequests(directory: string): Request[] {
  const folder = join(directory, folderName)
  if (!existsSync(folder)) return []
  const found = readdirSync(folder)
  return requests.filter(request => {
    if (!found.includes(request)) return false
    rmSync(join(folder, request), { force: true })
    return true
  })
}

interface Obedient {
  readonly run: {
    readonly scheduler: Scheduler
    log(text: string, level?: 'warn'): void
    stop(): void
  }
  readonly network: Network
  readonly checkpoints: Checkpoints | undefined
}

/** Does what a request asks for. */
export function obey(request: Request, { run, network, checkpoints }: Obedient): void {
  run.log(`asked to ${request}`)
  if (request === 'stop') run.stop()
  else if (request === 'pause') run.scheduler.pause()
  else if (request === 'continue') {
    checkpoints?.goOn()
    run.scheduler.continue()
  } else if (!checkpoints) run.log('no checkpoint: the graph has no "checkpoint"', 'warn')
  else {
    checkpoints.ask()
    network.wake()
  }
}
