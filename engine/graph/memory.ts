import type { MemoryUse, Sizes } from '../operator.ts'
import { showBytes } from '../shared/bytes.ts'
import { messageOf } from '../shared/errors.ts'
import { type Loop, loopsOf } from './checks/batches.ts'
import { outlinesOf, sizesOf } from './checks/sizes.ts'
import type { ResolvedType } from './checks/types.ts'
import { type End, endName, type Wire } from './flatten/flat.ts'
import { type Plan, type PlannedNode, settingOf } from './plan.ts'

/** The most memory that a run may take, part by part. */
export interface MemoryPlan {
  readonly rows: readonly MemoryRow[]
  /** On the GPU, without the unknown parts. Of parts that take turns, only the largest counts. */
  readonly bytes: number
  /** On the host, without the unknown parts. */
  readonly hostBytes: number
  /** Nodes of each loop that lets in one item at a time: they never work at once, so the memory that they free takes turns. */
  readonly turns: readonly (readonly string[])[]
  /** Parts whose memory is not known, with the reason. */
  readonly unknown: readonly { part: string; why: string }[]
}

export interface MemoryRow {
  /** A resource, a node, or the ends of an edge. */
  part: string
  what: string
  bytes: number
  device: 'gpu' | 'host'
  /** Whether it stays allocated while other parts have their turn. */
  kept?: boolean
  /** What to lower for less of it, as `--set` takes it: a param or a path. */
  knob?: string
}

const bytesOfFormat = { f32: 4, i32: 4, u32: 4, f16: 2, u8: 1 } as const

/** Adds up the memory of resources, nodes and full edges, from their estimates and the shapes on the edges. */
export function planMemory(plan: Plan): MemoryPlan {
  const unknown: { part: string; why: string }[] = []
  const sizes = sizesOf(plan.resources)
  const outlines = outlinesOf(plan.resources)
  const rowsOf = (
    name: string,
    settingOfField: (field: string) => string,
    uses: () => readonly MemoryUse[],
  ): MemoryRow[] => {
    try {
      return uses().map(({ knob, ...use }) => {
        const setting = knob && { knob: settingOfField(knob) }
        return { part: name, device: 'gpu', ...use, ...setting }
      })
    } catch (error) {
      unknown.push({ part: name, why: messageOf(error) })
      return []
    }
  }
  const resources = plan.resources.flatMap(({ name, scope, resource, config, at }) =>
    rowsOf(
      name,
      settingOf(`resources.${name}`, at),
      () => resource.memory?.(config, sizes(scope), outlines(scope)) ?? [],
    ),
  )
  const nodes = plan.nodes.flatMap(({ name, scope, operator, config, at }) => {
    const context = { sizes: sizes(scope), outline: outlines(scope), dims: dimsFor(name, plan, new Set()) }
    return rowsOf(name, settingOf(`nodes.${name}`, at), () => operator.memory?.(config, context) ?? [])
  })
  const loops = loopsOf(plan.nodes)
  const edges = plan.nodes.flatMap(node => node.wires.map(wire => ({ node, wire })))
  const onEdges = edges.flatMap(({ node, wire }): (MemoryRow & { loop?: Loop })[] => {
    const part = `${endName(wire.from)} → ${node.name}.${wire.port}`
    const bytes = itemBytes(wire.from, plan, new Set())
    if (bytes === 'unknown') unknown.push({ part, why: 'its shape is not known' })
    if (bytes === 'unknown' || bytes === 0) return []
    const inside = (within: readonly string[]) =>
      within.includes(node.name) && within.includes(wire.from.node)
    // an item on a feedback edge exists at the same time as the items in the loop
    const loop = wire.initial === undefined ? loops.find(({ within }) => inside(within)) : undefined
    return [{ part, ...onEdge(node, wire, bytes, loop), ...(loop && { loop }) }]
  })
  const rows: MemoryRow[] = [...resources, ...nodes, ...onEdges.map(({ loop: _, ...row }) => row)]
  const single = loops.filter(({ items }) => items === 1)
  const passing = nodes.filter(({ kept }) => !kept)
  return {
    rows,
    bytes: total(rows, 'gpu') - turnedBytes(single, passing, 'gpu') - doubledBytes(loops, onEdges),
    hostBytes: total(rows, 'host') - turnedBytes(single, passing, 'host'),
    turns: single.map(({ within }) => within.filter(name => passing.some(row => row.part === name))),
    unknown,
  }
}

/** A sum in words: where nothing of it is known, it is not 0. */
export function knownBytes(bytes: number, { unknown }: Pick<MemoryPlan, 'unknown'>): string {
  return bytes === 0 && unknown.length > 0 ? 'not known' : showBytes(bytes)
}

const total = (rows: readonly MemoryRow[], device: MemoryRow['device']): number =>
  rows.reduce((sum, row) => sum + (row.device === device ? row.bytes : 0), 0)

/** Bytes that are counted too often when nodes that take turns are added up: all but the largest of each loop. */
function turnedBytes(
  loops: readonly Loop[],
  rows: readonly MemoryRow[],
  device: MemoryRow['device'],
): number {
  return loops.reduce((sum, { within }) => {
    const each = within.map(name =>
      total(
        rows.filter(row => row.part === name),
        device,
      ),
    )
    return sum + each.reduce((all, bytes) => all + bytes, 0) - Math.max(0, ...each)
  }, 0)
}

/** Bytes that are counted too often on the edges of loops: an item is on one edge of its loop at a time. */
function doubledBytes(loops: readonly Loop[], rows: readonly (MemoryRow & { loop?: Loop })[]): number {
  return loops.reduce((sum, loop) => {
    const each = rows.filter(row => row.loop === loop).map(row => row.bytes)
    return sum + each.reduce((all, bytes) => all + bytes, 0) - Math.max(0, ...each)
  }, 0)
}

/** Items that wait on a full edge, and those that its consumer works on; no more than a loop lets in. */
function onEdge(
  { name, operator, config }: PlannedNode,
  wire: Wire,
  bytes: number,
  loop: Loop | undefined,
): Omit<MemoryRow, 'part'> {
  const { items, bytes: limit } = wire.capacity
  const most = loop?.items ?? Number.POSITIVE_INFINITY
  const room = wire.keep === 'latest' ? 1 : Math.max(1, Math.min(items, Math.floor(limit / bytes)))
  const concurrency = typeof config.concurrency === 'number' ? config.concurrency : 1
  const working = Math.min(most, operator.credits?.(config) ?? operator.collects?.(config) ?? concurrency)
  const waiting = Math.min(room, most - working)
  return {
    what: `${waiting > 0 ? `${waiting} waiting and ` : ''}${working} in work, ${showBytes(bytes)} each`,
    bytes: (waiting + working) * bytes,
    device: 'gpu',
    knob: `nodes.${name}.from.${wire.port}.capacity.items`,
  }
}

/** Sizes for a node's shape names, including the names used by upstream nodes whose tensors its items keep alive. */
function dimsFor(name: string, plan: Plan, seen: Set<string>): Sizes {
  const node = plan.nodes.find(node => node.name === name)
  if (!node || seen.has(name)) return {}
  seen.add(name)
  const sizes = Object.entries(plan.types.dims(name)).filter(([, size]) => size !== undefined)
  const upstream = node.wires.map(({ from }) => {
    const origin = plan.types.origin(from)
    return origin ? dimsFor(origin.node, plan, seen) : {}
  })
  return Object.assign({}, ...upstream, Object.fromEntries(sizes))
}

/** Bytes of GPU memory that one item keeps alive: its own tensor, and those of the input that it refers to. */
function itemBytes(end: End, plan: Plan, seen: Set<string>): number | 'unknown' {
  const origin = plan.types.origin(end)
  const type = plan.types.resolved(end)
  if (!origin || !type || seen.has(origin.node)) return 0
  seen.add(origin.node)
  const itself = tensorBytes(type)
  const feeding = plan.nodes.find(node => node.name === origin.node)?.wires ?? []
  const held = feeding
    .filter(wire => wire.port === origin.port.holds)
    .map(wire => itemBytes(wire.from, plan, seen))
  if (itself === 'unknown' || held.includes('unknown')) return 'unknown'
  return itself + Math.max(0, ...held.filter(bytes => bytes !== 'unknown'))
}

/** Only a type with a number format is a tensor on the GPU. */
function tensorBytes({ dtype, shape }: ResolvedType): number | 'unknown' {
  if (!dtype || !shape) return 0
  let bytes: number = bytesOfFormat[dtype]
  for (const extent of shape) {
    if (extent === undefined) return 'unknown'
    bytes *= extent
  }
  return bytes
}
