import { readFileSync } from 'node:fs'
import type { Config, Fields, Operator, Port, Resource } from '../operator.ts'
import { checkConfig } from './config.ts'
import { findCycles } from './cycles.ts'
import { type ExpandOptions, expand } from './expand.ts'
import {
  endName,
  type FlatNode,
  type FlatResource,
  type Level,
  locate,
  type OnError,
  type Wire,
} from './flat.ts'
import { nearestHint } from './nearest.ts'
import { GraphError, type Problem, show } from './problem.ts'
import { orderResources } from './resources.ts'
import { readSettings } from './set.ts'
import { dotted } from './source.ts'

/** The operators and resources that graphs may name. */
export interface Registry {
  readonly operators: Readonly<Record<string, Operator>>
  readonly resources: Readonly<Record<string, Resource>>
}

/** A graph that may run: everything known, everything filled in. */
export interface Plan {
  readonly file: string
  readonly summary: string
  readonly params: Readonly<Record<string, unknown>>
  readonly nodes: readonly PlannedNode[]
  /** In the order in which they open: a resource comes after those that its config names. */
  readonly resources: readonly PlannedResource[]
  /** The graph with params in place, as the manifest keeps it. */
  readonly shown: unknown
}

export interface PlannedNode {
  readonly name: string
  /** Prefix of the sub-graph that it stands in: names of resources are looked up there first. */
  readonly scope: string
  readonly operatorName: string
  readonly operator: Operator
  readonly config: Config<Fields>
  readonly onError: OnError
  readonly wires: readonly Wire[]
}

export interface PlannedResource {
  readonly name: string
  /** Prefix of the sub-graph that it stands in: names of resources are looked up there first. */
  readonly scope: string
  readonly resourceName: string
  readonly resource: Resource
  readonly config: Config<Fields>
}

export interface CheckOptions {
  /** `key=value` texts, as `--set` takes them. */
  set?: readonly string[]
  environment?: ExpandOptions['environment']
  read?: ExpandOptions['read']
}

/** Checks a graph file whole; throws a GraphError that holds every problem. */
export function loadGraph(file: string, registry: Registry, options: CheckOptions = {}): Plan {
  const { plan, problems } = checkGraph(file, registry, options)
  if (!plan) throw new GraphError(problems)
  return plan
}

/** Everything that is wrong with a graph file and what it includes, or the plan to run when nothing is. */
export function checkGraph(
  file: string,
  registry: Registry,
  options: CheckOptions = {},
): { plan?: Plan; problems: Problem[] } {
  const { settings, problems } = readSettings(options.set ?? [])
  const read = options.read ?? (name => readFileSync(name, 'utf8'))
  let level: Level | undefined
  try {
    level = expand(file, { settings, environment: options.environment ?? {}, read }, problems)
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    return {
      problems: [{ code: 'unreadable-file', path: file, rule: 'must be a file that can be read', found }],
    }
  }
  if (!level) return { problems }

  const resources = level.resources.flatMap(part => planResource(part, registry, problems))
  const nodes = level.nodes.flatMap(part => planNode(part, registry, problems))
  const ordered = orderResources(level, registry, resources, problems)
  checkEdges(level.nodes, registry, problems)
  if (problems.length > 0) return { problems: inOrder(problems) }
  const { summary, params, shown } = level
  return { plan: { file, summary, params, nodes, resources: ordered, shown }, problems }
}

function planNode(part: FlatNode, registry: Registry, problems: Problem[]): PlannedNode[] {
  if (part.broken || part.at.graph.holes.has(dotted([...part.at.path, 'operator']))) return []
  const operator = lookUp(registry.operators, part.operator)
  if (!operator) {
    const hint = nearestHint(part.operator, Object.keys(registry.operators))
    problems.push({
      code: 'unknown-operator',
      ...locate(part.at, ['operator']),
      rule: 'must be a known operator',
      found: show(part.operator),
      hint,
    })
    return []
  }
  const { name, scope, onError, wires } = part
  const config = checkConfig(part, operator.config, problems)
  return [{ name, scope, operatorName: part.operator, operator, config, onError, wires }]
}

function planResource(part: FlatResource, registry: Registry, problems: Problem[]): PlannedResource[] {
  if (part.broken || part.at.graph.holes.has(dotted([...part.at.path, 'resource']))) return []
  const resource = lookUp(registry.resources, part.resource)
  if (!resource) {
    const hint = nearestHint(part.resource, Object.keys(registry.resources))
    problems.push({
      code: 'unknown-resource',
      ...locate(part.at, ['resource']),
      rule: 'must be a known resource type',
      found: show(part.resource),
      hint,
    })
    return []
  }
  const config = checkConfig(part, resource.config, problems)
  return [{ name: part.name, scope: part.scope, resourceName: part.resource, resource, config }]
}

/** Every edge starts and ends at ports of the same kind, every input that is needed has one, every cycle can start. */
function checkEdges(nodes: readonly FlatNode[], registry: Registry, problems: Problem[]): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const operatorOf = (name: string) => {
    const node = byName.get(name)
    return node && !node.broken ? lookUp(registry.operators, node.operator) : undefined
  }
  for (const node of nodes) {
    const operator = operatorOf(node.name)
    if (!operator) continue
    for (const wire of node.wires) checkWire(node, wire, operator, operatorOf(wire.from.node), problems)
    const stated = node.at.graph.value.nodes
    for (const [port, input] of Object.entries(operator.inputs)) {
      // an edge from something unknown has been reported and left out of `wires`
      if (isOptional(input) || node.wires.some(wire => wire.port === port) || isStated(stated, node, port))
        continue
      const rule = `must connect the input "${port}" (kind "${kindOf(input)}")`
      problems.push({ code: 'unconnected-input', ...locate(node.at, ['from']), rule })
    }
  }
  for (const cycle of findCycles(nodes)) {
    const path = [...cycle.map(wire => wire.from.node), cycle[0].from.node].join(' → ')
    const rule = 'must have an edge with "initial" in every cycle'
    const last = cycle[cycle.length - 1]
    problems.push({
      code: 'cycle',
      ...locate(last.at),
      rule,
      found: path,
      hint: 'e.g. { "edge": "node.port", "keep": "latest", "initial": 0 }',
    })
  }
}

function checkWire(
  node: FlatNode,
  wire: Wire,
  operator: Operator,
  producer: Operator | undefined,
  problems: Problem[],
): void {
  const add = (
    code: Problem['code'],
    rule: string,
    found: string,
    hint = '',
    part: 'key' | 'value' = 'value',
  ) => problems.push({ code, ...locate(wire.at, [], part), rule, found, hint })
  const input = lookUp(operator.inputs, wire.port)
  const output = producer && lookUp(producer.outputs, wire.from.port)
  const from = endName(wire.from)
  if (input === undefined) {
    const ports = Object.keys(operator.inputs)
    const hint = ports.length === 0 ? 'it has none' : nearestHint(wire.port, ports)
    add('unknown-port', `must be an input of "${node.operator}"`, show(wire.port), hint, 'key')
  }
  if (producer && output === undefined) {
    const ports = Object.keys(producer.outputs)
    const hint = ports.length === 0 ? 'it has no outputs' : nearestHint(wire.from.port, ports)
    add('unknown-port', `must be an output of "${wire.from.node}"`, show(from), hint)
  }
  if (input !== undefined && output !== undefined && !joins(kindOf(output), kindOf(input))) {
    add(
      'kind-mismatch',
      `must carry "${kindOf(input)}" for the input "${wire.port}"`,
      `"${kindOf(output)}" from ${from}`,
    )
  }
  const alone = node.wires.filter(other => other.port === wire.port).length === 1
  const feedback = wire.keep === 'latest' && wire.initial !== undefined
  if (wire.keep === 'latest' && !alone)
    add('bad-edge', 'must be the only edge of its input when it keeps the latest', from)
  if (wire.maxLag !== undefined && !feedback) {
    add('bad-edge', 'must have "keep": "latest" and "initial" when it has "maxLag"', from)
  }
  if (wire.maxLag !== undefined && node.wires.every(other => other.port === wire.port)) {
    add('bad-edge', 'must stand beside another input when it has "maxLag"', from)
  }
}

const joins = (output: string, input: string) => output === 'any' || input === 'any' || output === input
const kindOf = (port: Port) => (typeof port === 'string' ? port : port.kind)
const isOptional = (port: Port) => typeof port !== 'string' && port.optional === true

function isStated(nodes: unknown, node: FlatNode, port: string): boolean {
  // the part itself, in its own file: prefixed names of sub-graphs are not keys there
  const name = node.name.slice(node.scope.length)
  const own = (nodes as Record<string, { from?: object } | undefined> | undefined)?.[name]
  return own?.from !== undefined && Object.hasOwn(own.from, port)
}

/** Own keys only: `constructor` is not an operator. */
function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

/** As a reader meets them: the command line first, then by file and position. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map(problem => problem.place?.file ?? ''))]
  const rank = ({ place }: Problem) => (place ? files.indexOf(place.file) + 1 : 0)
  return [...problems].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
      (a.place?.column ?? 0) - (b.place?.column ?? 0),
  )
}
