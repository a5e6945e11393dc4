import type { Operator, Port, PortDetails, Sizes } from '../../operator.ts'
import { type End, endName, locate, type Wire } from '../flatten/flat.ts'
import { lookUp } from '../look-up.ts'
import type { Problem } from '../problem.ts'

/** The parts of a node that decide types. */
export interface TypedNode {
  readonly name: string
  readonly operator: Operator
  readonly wires: readonly Wire[]
  /** The sizes that the operator gives to names in its shapes. */
  readonly dims: Sizes
}

/** The types of the edges of a graph. */
export interface EdgeTypes {
  /** The type of an output, e.g. `frames f32[F=16, 3, S, S]`. */
  output(end: End): string
  /** The type of an input. */
  input(end: End): string
  /** Kind, format and extents of what an output carries; an extent is undefined when nothing decides it. */
  resolved(end: End): ResolvedType | undefined
  /** The port that decides what an output carries, and its node: itself, or what feeds the input that it passes on. */
  origin(end: End): { node: string; port: PortDetails } | undefined
  /** Values of the names in a node's shapes, after all edges have been joined. */
  dims(node: string): Sizes
}

export interface ResolvedType {
  kind: string
  dtype?: PortDetails['dtype']
  shape?: readonly (number | undefined)[]
}

/** Joins both ends of every edge: kinds, number formats and extents, over the whole graph. Reports what disagrees. */
export function typeEdges(nodes: readonly TypedNode[], problems: Problem[]): EdgeTypes {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const extents = new Extents()
  for (const { name, dims } of nodes) {
    for (const [letter, size] of Object.entries(dims))
      if (size !== undefined) extents.bind(`${name} ${letter}`, size)
  }
  const types: EdgeTypes = {
    output: end => {
      const origin = originOf(end, byName)
      return origin ? typeText(origin.port, origin.node, extents) : 'unknown'
    },
    input: ({ node, port }) => {
      const input = lookUp(byName.get(node)?.operator.inputs ?? {}, port)
      return input ? typeText(detailsOf(input), node, extents) : 'unknown'
    },
    resolved: end => {
      const origin = originOf(end, byName)
      if (!origin) return undefined
      const { kind, dtype, shape } = origin.port
      const sizes = shape?.map(extent => extents.size(extentOf(origin.node, extent)))
      return { kind, ...(dtype && { dtype }), ...(sizes && { shape: sizes }) }
    },
    origin: end => originOf(end, byName),
    dims: node => {
      const operator = byName.get(node)?.operator
      const ports = operator ? [...Object.values(operator.inputs), ...Object.values(operator.outputs)] : []
      const letters = ports
        .flatMap(port => detailsOf(port).shape ?? [])
        .filter(part => typeof part === 'string')
      return Object.fromEntries(letters.map(letter => [letter, extents.size(`${node} ${letter}`)]))
    },
  }
  // the texts are made after all edges have been joined, so that they show the sizes that other edges decided
  const faults = nodes.flatMap(node => node.wires.flatMap(wire => join(node, wire, byName, extents) ?? []))
  for (const { node, wire, ...fault } of faults) {
    const to = { node: node.name, port: wire.port }
    problems.push({
      ...fault,
      ...locate(wire.at),
      ends: {
        from: { end: endName(wire.from), type: types.output(wire.from) },
        to: { end: endName(to), type: types.input(to) },
      },
    })
  }
  return types
}

export const detailsOf = (port: Port): PortDetails => (typeof port === 'string' ? { kind: port } : port)

interface Fault extends Pick<Problem, 'code' | 'rule' | 'found'> {
  node: TypedNode
  wire: Wire
}

function join(
  node: TypedNode,
  wire: Wire,
  byName: ReadonlyMap<string, TypedNode>,
  extents: Extents,
): Fault | undefined {
  const target = lookUp(node.operator.inputs, wire.port)
  const from = originOf(wire.from, byName)
  if (!target || !from) return undefined
  const to = detailsOf(target)
  const { kind, dtype, shape } = from.port
  const fault = (code: Problem['code'], rule: string, found: string) => ({ code, rule, found, node, wire })
  const input = `for the input "${wire.port}"`
  const end = endName(wire.from)
  if (kind !== to.kind && kind !== 'any' && to.kind !== 'any')
    return fault('kind-mismatch', `must carry "${to.kind}" ${input}`, `"${kind}" from ${end}`)
  if (dtype && to.dtype && dtype !== to.dtype)
    return fault('dtype-mismatch', `must carry numbers in ${to.dtype} ${input}`, `${dtype} from ${end}`)
  if (!shape || !to.shape) return undefined
  if (shape.length !== to.shape.length) {
    const rule = `must have ${to.shape.length} dimensions ${input}`
    return fault('shape-mismatch', rule, `${shape.length} from ${end}`)
  }
  const differing = shape.flatMap((extent, i) => {
    const [one, two] = [extentOf(from.node, extent), extentOf(node.name, to.shape?.[i] ?? extent)]
    if (extents.join(one, two)) return []
    const letter = typeof to.shape?.[i] === 'string' ? to.shape[i] : `dimension ${i + 1}`
    return [{ letter, found: extents.size(one), wanted: extents.size(two) }]
  })
  if (differing.length === 0) return undefined
  const list = (texts: readonly string[]) => [...new Set(texts)].join(', ')
  const wanted = list(differing.map(({ letter, wanted }) => `${letter} = ${wanted}`))
  const found = list(differing.map(({ letter, found }) => `${letter} = ${found}`))
  return fault('shape-mismatch', `must have ${wanted} ${input}`, `${found} from ${end}`)
}

/** The port that decides what an output carries: the output itself, or what feeds the input that it passes on. */
function originOf(
  end: End,
  byName: ReadonlyMap<string, TypedNode>,
): { node: string; port: PortDetails } | undefined {
  const seen = new Set<string>()
  let here = end
  for (;;) {
    const node = byName.get(here.node)
    const output = node && lookUp(node.operator.outputs, here.port)
    if (!output) return undefined
    const port = detailsOf(output)
    const [feeding, ...others] = node.wires.filter(wire => wire.port === port.like)
    // several edges may carry different kinds: then the operator's own words count, usually `any`
    if (!feeding || others.length > 0 || port.like === undefined || seen.has(here.node))
      return { node: node.name, port }
    seen.add(here.node)
    here = feeding.from
  }
}

type Extent = number | string

/** An extent of a port as the whole graph knows it: its size, or the node's name for it. */
const extentOf = (node: string, extent: Extent): Extent =>
  typeof extent === 'number' ? extent : `${node} ${extent}`

function typeText({ kind, dtype, shape }: PortDetails, node: string, extents: Extents): string {
  if (!shape) return dtype ? `${kind} ${dtype}` : kind
  const parts = shape.map(extent => {
    const size = extents.size(extentOf(node, extent))
    return typeof extent === 'number' || size === undefined ? String(extent) : `${extent}=${size}`
  })
  return `${kind} ${dtype ?? ''}[${parts.join(', ')}]`
}

/** Sets of names for the same number (union-find); a set may have a size. */
class Extents {
  readonly #parents = new Map<string, Extent>()

  size(extent: Extent): number | undefined {
    const root = this.#root(extent)
    return typeof root === 'number' ? root : undefined
  }

  bind(name: string, size: number): void {
    this.#parents.set(name, size)
  }

  /** Unites the sets of two extents; false when their sizes differ. */
  join(one: Extent, two: Extent): boolean {
    const [left, right] = [this.#root(one), this.#root(two)]
    if (left === right) return true
    if (typeof left === 'string') this.#parents.set(left, right)
    else if (typeof right === 'string') this.#parents.set(right, left)
    else return false
    return true
  }

  #root(extent: Extent): Extent {
    let here = extent
    for (let up = this.#up(here); up !== undefined; up = this.#up(here)) here = up
    return here
  }

  #up(extent: Extent): Extent | undefined {
    return typeof extent === 'number' ? undefined : this.#parents.get(extent)
  }
}
