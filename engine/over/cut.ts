// A plan divided among processes: the home part, in which each other part is one node, and the parts.
import { inScope } from '../graph/checks/resources.ts'
import { endName, type Wire } from '../graph/flatten/flat.ts'
import { lookUp } from '../graph/look-up.ts'
import type { Copier, Plan, PlannedNode, PlannedPart, PlannedResource } from '../graph/plan.ts'
import { GraphError } from '../graph/problem.ts'
import type { Operator, Ports } from '../operator.ts'
import { jsonForm, type WireForm } from '../wire-form.ts'

/** A part with the ends of the edges that are cut. */
export interface CutPart extends PlannedPart {
  readonly inputs: readonly CutEnd[]
  readonly outputs: readonly CutEnd[]
  /** Names of the resources that its nodes use, and of those that these use. */
  readonly resources: ReadonlySet<string>
  /** The input where items wait for the version that they are pinned to; undefined: they wait before the part. */
  readonly gate?: GatedInput
}

/** An input of the node that follows versions. One chain of nodes leads there from an input of the part. */
export interface GatedInput extends Pick<CutEnd, 'kind' | 'form' | 'scope'> {
  readonly node: string
  readonly port: string
}

/** A port of a node inside, as `node.port`. */
export interface CutEnd {
  readonly end: string
  readonly kind: string
  readonly form: WireForm
  /** Prefix of the sub-graph whose node it belongs to. */
  readonly scope: string
  /** Of an input that sees the newest item only. */
  readonly latest: boolean
}

/** The parts of a plan; throws a GraphError when one of them cannot run in several processes. */
export function cutParts(plan: Plan, forms: Readonly<Record<string, WireForm>>): CutPart[] {
  const problems = plan.parts.flatMap(({ obstacles }) => obstacles)
  if (problems.length > 0) throw new GraphError(problems)
  return plan.parts.map((part): CutPart => {
    const inside = plan.nodes.filter(({ name }) => part.nodes.has(name))
    const outside = plan.nodes.filter(({ name }) => !part.nodes.has(name))
    const endOf = (end: string, scope: string, wire: Wire): CutEnd => {
      const kind = kindOf(wire, plan)
      return { end, kind, scope, form: formOf(kind, forms), latest: wire.keep === 'latest' }
    }
    const inputs = inside.flatMap(node =>
      node.wires
        .filter(({ from }) => !part.nodes.has(from.node))
        .map(wire => endOf(`${node.name}.${wire.port}`, node.scope, wire)),
    )
    const outputs = outside.flatMap(node =>
      node.wires
        .filter(({ from }) => part.nodes.has(from.node))
        .map(wire => endOf(endName(wire.from), scopeOf(wire.from.node, plan), wire)),
    )
    const resources = new Set(resourcesOf(inside, plan.resources).map(({ name }) => name))
    const gated = gatedWire(inside)
    return {
      ...part,
      inputs: byEnd(inputs),
      outputs: byEnd(outputs),
      resources,
      ...(gated && { gate: gateOf(gated, plan, forms) }),
    }
  })
}

/**
 * The edge before the node that follows versions. Undefined unless one node follows them and one chain of nodes leads to it: then
 * items reach it in the order in which they came to the part, so none waits for one that comes after it.
 */
function gatedWire(inside: readonly PlannedNode[]): { node: PlannedNode; wire: Wire } | undefined {
  const nodeOf = (wire: Wire) => inside.find(({ name }) => name === wire.from.node)
  const followers = inside.filter(({ wires }) => wires.some(wire => wire.keep === 'latest' && !nodeOf(wire)))
  const [node] = followers
  const [wire, ...others] = node?.wires.filter(({ keep }) => keep !== 'latest') ?? []
  if (!node || !wire || followers.length > 1 || others.length > 0) return undefined
  const first = nodeOf(wire)
  const passed = new Set([node])
  for (let before = first; before; ) {
    const [only, ...more] = before.wires
    if (!only || more.length > 0 || passed.has(before)) return undefined
    passed.add(before)
    before = nodeOf(only)
  }
  return first && { node, wire }
}

function gateOf(
  { node, wire }: { node: PlannedNode; wire: Wire },
  plan: Plan,
  forms: Readonly<Record<string, WireForm>>,
): GatedInput {
  const kind = kindOf(wire, plan)
  const scope = scopeOf(wire.from.node, plan)
  return { node: node.name, port: wire.port, kind, form: formOf(kind, forms), scope }
}

const kindOf = (wire: Wire, { types }: Plan): string => types.resolved(wire.from)?.kind ?? 'any'

const formOf = (kind: string, forms: Readonly<Record<string, WireForm>>): WireForm =>
  lookUp(forms, kind) ?? jsonForm

const byEnd = (ends: readonly CutEnd[]): CutEnd[] => [...new Map(ends.map(one => [one.end, one])).values()]

const scopeOf = (name: string, { nodes }: Plan): string => nodes.find(node => node.name === name)?.scope ?? ''

/** How a part is run from the home part. */
export interface Remote {
  readonly run: Operator['run']
  readonly copier: Copier
}

/** The plan of the home part: each part is one node, whose ports are the ends that are cut. */
export function homePlan(plan: Plan, cuts: readonly CutPart[], remoteOf: (cut: CutPart) => Remote): Plan {
  const partOf = (node: string) => cuts.find(({ nodes }) => nodes.has(node))
  const moved = (wire: Wire, port: string): Wire => {
    const part = partOf(wire.from.node)
    return { ...wire, port, ...(part && { from: { node: part.name, port: endName(wire.from) } }) }
  }
  const made = new Set<CutPart>()
  const nodes = plan.nodes.flatMap((node): PlannedNode[] => {
    const part = partOf(node.name)
    if (!part) return [{ ...node, wires: node.wires.map(wire => moved(wire, wire.port)) }]
    if (made.has(part)) return []
    const inside = plan.nodes.filter(({ name }) => part.nodes.has(name))
    const wires = inside.flatMap(({ name, wires }) =>
      wires.filter(({ from }) => !part.nodes.has(from.node)).map(wire => moved(wire, `${name}.${wire.port}`)),
    )
    const remote = remoteOf(part)
    const planned: PlannedNode = {
      name: part.name,
      scope: '',
      operatorName: 'part',
      operator: operatorOf(part, remote.run),
      config: {},
      onError: 'stop',
      wires,
      copier: remote.copier,
    }
    made.add(part)
    return [planned]
  })
  // All resources stay: wire forms use those of the parts, and an operator may look at those of another node, e.g. eval.pending.
  return { ...plan, nodes }
}

export const portsOf = (ends: readonly CutEnd[]): Ports =>
  Object.fromEntries(ends.map(({ end, kind }) => [end, kind]))

function operatorOf({ nodes, inputs, outputs, credits }: CutPart, run: Operator['run']): Operator {
  return {
    summary: `Runs in other processes: ${[...nodes].join(', ')}.`,
    config: {},
    inputs: portsOf(inputs),
    outputs: portsOf(outputs),
    credits: () => credits,
    drops: true,
    expands: true,
    run,
  }
}

/** The resources that nodes use, and those that these use, in the order in which they open. */
export function resourcesOf(
  nodes: readonly PlannedNode[],
  all: readonly PlannedResource[],
): PlannedResource[] {
  const found = new Set<PlannedResource>()
  const visit = (part: PlannedNode | PlannedResource): void => {
    const fields = 'operator' in part ? part.operator.config : part.resource.config
    for (const [field, about] of Object.entries(fields)) {
      const stated = part.config[field]
      if (!('resource' in about) || about.resource === undefined || typeof stated !== 'string') continue
      const resource = inScope(stated, part.scope, all)
      if (!resource || found.has(resource)) continue
      found.add(resource)
      visit(resource)
    }
  }
  for (const node of nodes) visit(node)
  return all.filter(resource => found.has(resource))
}
