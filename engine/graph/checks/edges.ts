import type { Operator } from '../../operator.ts'
import { isObject } from '../../shared/json.ts'
import { near, nearest } from '../did-you-mean.ts'
import { at as within } from '../file/graph-file.ts'
import { endRule } from '../file/validate.ts'
import { endName, type FlatNode, locate, type Wire } from '../flatten/flat.ts'
import { lookUp } from '../look-up.ts'
import type { Registry } from '../plan.ts'
import { type Problem, show } from '../problem.ts'
import { findCycles } from './cycles.ts'
import { detailsOf } from './types.ts'

/** Every edge starts and ends at a port, every input that is needed has one, every cycle can start. */
export function checkEdges(nodes: readonly FlatNode[], registry: Registry, problems: Problem[]): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const operatorOf = (name: string) => {
    const node = byName.get(name)
    return node && !node.broken ? lookUp(registry.operators, node.operator) : undefined
  }
  for (const node of nodes) {
    if (node.broken) checkNames(node, lookUp(registry.operators, node.operator), problems)
    const operator = operatorOf(node.name)
    if (!operator) continue
    for (const wire of node.wires) {
      checkPorts(node, wire, operator, operatorOf(wire.from.node), problems)
      checkSettings(node, wire, problems)
    }
    const stated = node.at.graph.value.nodes
    for (const [port, input] of Object.entries(operator.inputs)) {
      const { kind, optional } = detailsOf(input)
      // an edge from an unknown node has been reported, and is not in `wires`
      if (optional || node.wires.some(wire => wire.port === port) || isStated(stated, node, port)) continue
      const rule = `must connect the input "${port}" (kind "${kind}")`
      const remedy = `add "${port}": "node.port" to its "from"`
      problems.push({ code: 'unconnected-input', ...locate(node.at, ['from']), rule, remedy })
    }
  }
  for (const cycle of findCycles(nodes)) {
    const nodesAround = cycle.map(wire => wire.from.node)
    const [first, last] = [cycle[0], cycle.at(-1)]
    if (!first || !last) continue
    problems.push({
      code: 'cycle',
      ...locate(last.at),
      rule: 'must have an edge with "initial" in every cycle',
      found: [...nodesAround, first.from.node].join(' → '),
      hint: 'e.g. { "edge": "node.port", "keep": "latest", "initial": 0 }',
    })
  }
}

/** What to write for an end of an edge that names a node and no port, if a node has this name. */
export function nameEnds(problems: Problem[], nodes: readonly FlatNode[], registry: Registry): void {
  for (const [i, problem] of problems.entries()) {
    if (problem.rule !== endRule || problem.found === undefined) continue
    const name = /^"([^".]+)"$/.exec(problem.found)?.[1] ?? ''
    const [node] = nodes.filter(each => each.name === name || each.name.endsWith(`/${name}`))
    const meant =
      node ??
      nodes.find(
        each =>
          each.name ===
          nearest(
            name,
            nodes.map(other => other.name),
          ),
      )
    const ports = Object.keys((meant && lookUp(registry.operators, meant.operator)?.outputs) ?? {})
    const own = meant?.name.slice(meant.scope.length)
    const ends = ports.map(port => `"${own}.${port}"`)
    if (ends.length > 0) problems[i] = { ...problem, remedy: `write ${ends.join(' or ')}` }
  }
}

/** Outputs that no edge starts from, of nodes that have no other effect: their work is lost. */
export function findUnconnected(
  nodes: readonly FlatNode[],
  registry: Registry,
  outward: ReadonlySet<string>,
): Problem[] {
  const connected = new Set(nodes.flatMap(node => node.wires.map(wire => endName(wire.from))))
  return nodes.flatMap(node => {
    const operator = node.broken ? undefined : lookUp(registry.operators, node.operator)
    if (!operator || operator.effects) return []
    return Object.entries(operator.outputs).flatMap(([port, output]) => {
      const end = endName({ node: node.name, port })
      if (connected.has(end) || outward.has(end) || detailsOf(output).optional) return []
      const rule = `must connect the output "${port}": nothing else comes of it`
      return [{ code: 'unconnected-output' as const, ...locate(node.at, [], 'key'), rule }]
    })
  })
}

/** The names of the inputs of a node that is wrong in other ways, too. */
function checkNames(
  { at, operator: name }: FlatNode,
  operator: Operator | undefined,
  problems: Problem[],
): void {
  const from = [...at.path, 'from'].reduce<unknown>(within, at.graph.value)
  if (!operator || !isObject(from)) return
  for (const port of Object.keys(from))
    if (!Object.hasOwn(operator.inputs, port))
      problems.push(unknownInput(locate(at, ['from', port], 'key'), port, name, operator))
}

const unknownInput = (
  where: Pick<Problem, 'place' | 'path'>,
  port: string,
  name: string,
  { inputs }: Operator,
): Problem => {
  const ports = Object.keys(inputs)
  return {
    code: 'unknown-port',
    ...where,
    rule: `must be an input of "${name}"`,
    found: show(port),
    ...(ports.length === 0 ? { hint: 'it has no inputs' } : near(port, ports)),
  }
}

function checkPorts(
  node: FlatNode,
  wire: Wire,
  operator: Operator,
  producer: Operator | undefined,
  problems: Problem[],
): void {
  if (!Object.hasOwn(operator.inputs, wire.port))
    problems.push(unknownInput(locate(wire.at, [], 'key'), wire.port, node.operator, operator))
  if (producer && !Object.hasOwn(producer.outputs, wire.from.port)) {
    const ports = Object.keys(producer.outputs)
    /** An end as the file writes it, without the name of the sub-graph around both. */
    const written = (port: string) => endName({ ...wire.from, port }).slice(node.scope.length)
    problems.push({
      code: 'unknown-port',
      ...locate(wire.at),
      rule: `must be an output of "${wire.from.node}"`,
      found: show(endName(wire.from)),
      ...(ports.length === 0
        ? { hint: 'it has no outputs', remedy: 'name a node that has outputs' }
        : near(written(wire.from.port), ports.map(written))),
      ...(ports.length === 1 && { remedy: `write "${written(ports[0] ?? '')}"` }),
    })
  }
}

function checkSettings(node: FlatNode, wire: Wire, problems: Problem[]): void {
  const add = (rule: string, remedy: string) =>
    problems.push({ code: 'bad-edge', ...locate(wire.at), rule, found: endName(wire.from), remedy })
  const alone = node.wires.filter(other => other.port === wire.port).length === 1
  const feedback = wire.keep === 'latest' && wire.initial !== undefined
  if (wire.keep === 'latest' && !alone)
    add(
      'must be the only edge of its input when it keeps the latest',
      'remove "keep", or the other edges of this input',
    )
  if (wire.maxLag !== undefined && !feedback)
    add(
      'must have "keep": "latest" and "initial" when it has "maxLag"',
      'add both, or remove "maxLag": it bounds how far a node runs ahead of a feedback edge',
    )
  if (wire.maxLag !== undefined && node.wires.every(other => other.port === wire.port))
    add(
      'must be next to another input when it has "maxLag"',
      'remove "maxLag": the node has no other input to hold back',
    )
}

function isStated(nodes: unknown, node: FlatNode, port: string): boolean {
  // its file names the node without the prefix of its sub-graph
  const name = node.name.slice(node.scope.length)
  // the structure of a node that is not broken has been checked
  const stated = (nodes as Record<string, { from?: object } | undefined> | undefined)?.[name]
  return stated?.from !== undefined && Object.hasOwn(stated.from, port)
}
