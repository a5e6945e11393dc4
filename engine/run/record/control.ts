import { appendFileSync, existsSync, readdirSync, rmSync } from '../../platform/files.ts'
import { join } from '../../platform/paths.ts'
import { folderInside } from '../../shared/inside.ts'

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
