import { appendFileSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hideIn, type Secrets } from '../../graph/secrets.ts'
import { makeFolder } from '../../shared/files.ts'
import type { Lease } from '../items/lease.ts'
import type { Edge } from '../node/edge.ts'

/** A tap is closed when it was not asked for during this time. */
const forgetMs = 5000
const itemsPerSecond = 5

/** Serves `flow tap`: it asks by touching `taps/<node>.<port>.ask`, and the items go to `taps/<node>.<port>.jsonl`. */
export function openTaps(
  directory: string,
  edges: readonly Edge[],
  secrets: Secrets,
): { look(): void; close(): void } {
  const folder = join(directory, 'taps')
  const open = new Set<Edge>()
  const look = () => {
    const asked = existsSync(folder) ? readdirSync(folder) : []
    for (const edge of edges) {
      const ask = `${tapName(edge.end)}.ask`
      const wanted = asked.includes(ask) && Date.now() - statSync(join(folder, ask)).mtimeMs < forgetMs
      if (wanted) {
        open.add(edge)
        let left = itemsPerSecond
        edge.tap = lease => {
          if (left-- > 0)
            appendFileSync(join(folder, `${tapName(edge.end)}.jsonl`), `${describe(lease, secrets)}\n`)
        }
      } else if (open.delete(edge)) edge.tap = undefined
    }
  }
  const close = () => {
    for (const edge of open) edge.tap = undefined
  }
  return { look, close }
}

/** Asks a run to show items that arrive at an input, `node.port`; repeat it to keep the tap open. Returns the file of the items. */
export function askTap(directory: string, end: string): string {
  const folder = join(directory, 'taps')
  makeFolder(folder)
  appendFileSync(join(folder, `${tapName(end)}.ask`), '.')
  return join(folder, `${tapName(end)}.jsonl`)
}

export function stopTap(directory: string, end: string): void {
  for (const type of ['ask', 'jsonl'])
    rmSync(join(directory, 'taps', `${tapName(end)}.${type}`), { force: true })
}

/** Nodes of sub-graphs have slashes in their names. */
const tapName = (end: string): string => end.replaceAll('/', '~')

const describe = ({ key, bytes, value }: Lease, secrets: Secrets): string =>
  JSON.stringify(hideIn({ key, bytes, value: summary(value) }, secrets))

/** A short form of a value: tensors as their shape, long lists and texts as their beginning. */
export function summary(value: unknown, depth = 0): unknown {
  if (typeof value === 'string')
    return value.length > 200 ? `${value.slice(0, 200)}… (${value.length})` : value
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol')
    return typeof value
  if (typeof value !== 'object' || value === null) return value
  if (ArrayBuffer.isView(value)) {
    const length = 'length' in value ? value.length : value.byteLength
    return `${value.constructor.name}(${length})`
  }
  if ('shape' in value && Array.isArray(value.shape)) {
    const type = 'type' in value && typeof value.type === 'string' ? value.type : 'tensor'
    return `${type}[${value.shape.join(', ')}]`
  }
  if (depth === 4) return Array.isArray(value) ? `list of ${value.length}` : 'object'
  if (Array.isArray(value)) {
    const first = value.slice(0, 4).map(one => summary(one, depth + 1))
    return value.length > 4 ? [...first, `… (${value.length})`] : first
  }
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, summary(one, depth + 1)]))
}
