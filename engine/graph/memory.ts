import type { MemoryUse } from '../operator.ts'
import type { Plan, PlannedNode } from './check.ts'
import { type End, endName, type Wire } from './flat.ts'
import { sizesOf } from './sizes.ts'
import type { ResolvedType } from './types.ts'

/** GPU memory that a run may take at most, part by part. */
export interface MemoryPlan {
  readonly rows: readonly MemoryRow[]
  /** Sum of what is known. */
  readonly bytes: number
  /** Parts whose need is not known, with the reason. */
  readonly unknown: readonly { part: string; why: string }[]
}

export interface MemoryRow {
  /** A resource, a node, or the ends of an edge. */
  part: string
  what: string
  bytes: number
  /** Path to lower for less of it, as `--set` takes it. */
  knob?: string
}

const bytesOfFormat = { f32: 4, i32: 4, u32: 4, f16: 2, u8: 1 } as const

/** Adds up what resources, nodes and full edges take, from their own estimates and the shapes on the edges. */
export function planMemory(plan: Plan): MemoryPlan {
  const rows: MemoryRow[] = []
  const unknown: { part: string; why: string }[] = []
  const sizes = sizesOf(plan.resources)
  const add = (section: string, name: string, uses: () => readonly MemoryUse[]) => {
    try {
      for (const { knob, ...use } of uses())
        rows.push({ part: name, ...use, ...(knob && { knob: `${section}.${name}.config.${knob}` }) })
    } catch (error) {
      unknown.push({ part: name, why: error instanceof Error ? error.message : String(error) })
    }
  }
  for (const { name, scope, resource, config } of plan.resources)
    add('resources', name, () => resource.memory?.(config, sizes(scope)) ?? [])
  for (const { name, scope, operator, config } of plan.nodes) {
    const known = { sizes: sizes(scope), dims: plan.types.dims(name) }
    add('nodes', name, () => operator.memory?.(config, known) ?? [])
  }
  for (const node of plan.nodes) {
    for (const wire of node.wires) {
      const part = `${endName(wire.from)} → ${node.name}.${wire.port}`
      const bytes = itemBytes(wire.from, plan, new Set())
      if (bytes === 'unknown') unknown.push({ part, why: 'its shape is not known' })
      else if (bytes > 0) rows.push({ part, ...onEdge(node, wire, bytes) })
    }
  }
  return { rows, unknown, bytes: rows.reduce((sum, row) => sum + row.bytes, 0) }
}

/** What to lower first, largest first. */
export const knobsOf = ({ rows }: MemoryPlan): MemoryRow[] =>
  rows.filter(row => row.knob !== undefined).sort((a, b) => b.bytes - a.bytes)

/** Items that wait on a full edge, and those that its consumer holds. */
function onEdge({ name, operator, config }: PlannedNode, wire: Wire, bytes: number): Omit<MemoryRow, 'part'> {
  const { items, bytes: limit } = wire.capacity
  const waiting = wire.keep === 'latest' ? 1 : Math.max(1, Math.min(items, Math.floor(limit / bytes)))
  const concurrency = typeof config.concurrency === 'number' ? config.concurrency : 1
  const held = operator.credits?.(config) ?? operator.collects?.(config) ?? concurrency
  return {
    what: `${waiting} waiting and ${held} in hand of ${showBytes(bytes)}`,
    bytes: (waiting + held) * bytes,
    knob: `nodes.${name}.from.${wire.port}.capacity.items`,
  }
}

/** Bytes of GPU memory that one item keeps alive: its own tensor, and those of the input that it holds. */
function itemBytes(end: End, plan: Plan, seen: Set<string>): number | 'unknown' {
  const origin = plan.types.origin(end)
  const type = plan.types.resolved(end)
  if (!origin || !type || seen.has(origin.node)) return 0
  seen.add(origin.node)
  const own = tensorBytes(type)
  const feeding = plan.nodes.find(node => node.name === origin.node)?.wires ?? []
  const held = feeding
    .filter(wire => wire.port === origin.port.holds)
    .map(wire => itemBytes(wire.from, plan, seen))
  if (own === 'unknown' || held.includes('unknown')) return 'unknown'
  return own + Math.max(0, ...held.filter(bytes => bytes !== 'unknown'))
}

/** Only what has a number format is a tensor on the GPU. */
function tensorBytes({ dtype, shape }: ResolvedType): number | 'unknown' {
  if (!dtype || !shape) return 0
  let bytes: number = bytesOfFormat[dtype]
  for (const extent of shape) {
    if (extent === undefined) return 'unknown'
    bytes *= extent
  }
  return bytes
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Bytes for people, in decimal units: `53.7 MB`. */
export function showBytes(bytes: number): string {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : value.toPrecision(3).replace(/\.?0+$/, '')} ${units[power]}`
}

/** Reads `8GB`, `512 MiB` or a number of bytes; undefined when it is none of these. */
export function readBytes(text: string): number | undefined {
  const [, digits, prefix, binary] = /^(\d+(?:\.\d+)?) ?(?:([kmgt]?)(i?)b)?$/i.exec(text.trim()) ?? []
  if (digits === undefined) return undefined
  const power = ['', 'k', 'm', 'g', 't'].indexOf((prefix ?? '').toLowerCase())
  return Math.floor(Number(digits) * (binary ? 1024 : 1000) ** power)
}
