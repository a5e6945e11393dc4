import { hideIn, type Secrets } from '../../graph/secrets.ts'
import { appendFileSync, existsSync, readdirSync, rmSync, statSync } from '../../platform/files.ts'
import { join } from '../../platform/paths.ts'
import { folderInside } from '../../shared/inside.ts'
import type { Lease } from '../items/lease.ts'
import type { Edge } from '../node/edge.ts'
import { summaryOf, type ValueReader } from './value-summary.ts'

/** A tap is closed when it was not asked for during this time. */
const forgetMs = 5000
const itemsPerSecond = 5

/** What taps look at. */
export interface Tapped {
  directory: string
  edges: readonly Edge[]
  /** Hidden in what taps show. */
  secrets: Secrets
  /** Read what is not in the memory of this process: tensors on a GPU. */
  readers: Iterable<ValueReader>
  fail(error: unknown): void
}

/** Serves `flow tap`: it asks by touching `taps/<node>.<port>.ask`, and the items go to `taps/<node>.<port>.jsonl`. */
export function openTaps(tapped: Tapped): { look(): void; close(): void } {
  const { directory, edges, fail } = tapped
  const folder = join(directory, 'taps')
  const open = new Set<Edge>()
  let written: Promise<unknown> = Promise.resolve()
  let closed = false
  // the GPU goes at the end of a run, whether a tap still waits for it or not
  const told = (error: unknown) => {
    if (!closed) fail(error)
  }
  const write = (name: string, line: string) => {
    // whoever asked may have stopped meanwhile
    if (existsSync(join(folder, `${name}.ask`))) appendFileSync(join(folder, `${name}.jsonl`), `${line}\n`)
  }
  const look = () => {
    const asked = existsSync(folder) ? readdirSync(folder) : []
    for (const edge of edges) {
      const ask = `${tapName(edge.end)}.ask`
      const wanted = asked.includes(ask) && Date.now() - statSync(join(folder, ask)).mtimeMs < forgetMs
      if (wanted) {
        open.add(edge)
        let left = itemsPerSecond
        edge.tap = lease => {
          if (left-- <= 0) return
          // in order, although the statistics of one item may take longer than those of the next
          const line = describe(lease, tapped)
          line.catch(() => {}) // told below, in its turn
          written = written.then(async () => write(tapName(edge.end), await line)).catch(told)
        }
      } else if (open.delete(edge)) edge.tap = undefined
    }
  }
  const close = () => {
    closed = true
    for (const edge of open) edge.tap = undefined
  }
  return { look, close }
}

/** Asks a run to show items that arrive at an input, `node.port`; repeat it to keep the tap open. Returns the file of the items. */
export function askTap(directory: string, end: string): string {
  const folder = folderInside(directory, 'taps')
  appendFileSync(join(folder, `${tapName(end)}.ask`), '.')
  return join(folder, `${tapName(end)}.jsonl`)
}

export function stopTap(directory: string, end: string): void {
  const folder = folderInside(directory, 'taps')
  for (const type of ['ask', 'jsonl']) rmSync(join(folder, `${tapName(end)}.${type}`), { force: true })
}

/** Nodes of sub-graphs have slashes in their names. */
const tapName = (end: string): string => end.replaceAll('/', '~')

async function describe({ key, bytes, value }: Lease, { secrets, readers }: Tapped): Promise<string> {
  return JSON.stringify(hideIn({ key, bytes, value: await summaryOf(value, readers) }, secrets))
}
