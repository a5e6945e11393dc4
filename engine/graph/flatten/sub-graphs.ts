import { isObject } from '../../shared/json.ts'
import { near } from '../did-you-mean.ts'
import type { Path } from '../file/graph-file.ts'
import { type Problem, show } from '../problem.ts'
import { type End, endName, endOf, type Level, type Locator, locate, type Wire } from './flat.ts'

type Subs = ReadonlyMap<string, Level | undefined>

/** Moves the parts of a sub-graph into the level around it, and its inputs' edges to the nodes inside. */
export function lift(
  name: string,
  inner: Level,
  wires: readonly Wire[],
  level: Level,
  problems: Problem[],
): void {
  const prefix = `${name}/`
  const within = (end: End): End => ({ node: prefix + end.node, port: end.port })
  for (const resource of inner.resources) {
    level.resources.push({ ...resource, name: prefix + resource.name, scope: prefix + resource.scope })
  }
  const lifted = inner.nodes.map(node => ({
    ...node,
    name: prefix + node.name,
    scope: prefix + node.scope,
    wires: node.wires.map(wire => ({ ...wire, from: within(wire.from) })),
  }))
  for (const wire of wires) {
    const targets = inner.inputs.get(wire.port)
    if (!targets) {
      problems.push({
        code: 'unknown-port',
        ...locate(wire.at, [], 'key'),
        rule: 'must be an input of the sub-graph',
        found: show(wire.port),
        ...near(wire.port, inner.inputs.keys()),
      })
    }
    for (const target of targets ?? []) {
      lifted.find(node => node.name === prefix + target.node)?.wires.push({ ...wire, port: target.port })
    }
  }
  for (const part of inner.parts)
    level.parts.push({ ...part, name: prefix + part.name, nodes: part.nodes.map(node => prefix + node) })
  for (const [port, end] of inner.outputs) inner.outputs.set(port, within(end))
  level.nodes.push(...lifted)
}

/** Follows `sub.output` to the node inside; names that nothing has are problems, and their edges are left out. */
export function resolveEnds(level: Level, subs: Subs, problems: Problem[]): void {
  const names = new Set([...level.nodes.map(node => node.name), ...subs.keys()])
  for (const node of level.nodes) {
    node.wires = node.wires.flatMap(wire => {
      const from = resolveEnd(wire.from, wire.at, names, subs, problems)
      return from ? [{ ...wire, from }] : []
    })
  }
}

function resolveEnd(
  end: End,
  at: Locator,
  names: ReadonlySet<string>,
  subs: Subs,
  problems: Problem[],
): End | undefined {
  if (!names.has(end.node)) {
    problems.push({
      code: 'unknown-node',
      ...locate(at),
      rule: 'must come from a node of the graph',
      found: show(endName(end)),
      ...nearEnd(end, names),
    })
    return undefined
  }
  if (!subs.has(end.node)) return end
  const sub = subs.get(end.node)
  if (!sub) return undefined
  const inside = sub.outputs.get(end.port)
  if (!inside) {
    problems.push({
      code: 'unknown-port',
      ...locate(at),
      rule: `must be an output of the sub-graph "${end.node}"`,
      found: show(endName(end)),
      ...near(end.port, sub.outputs.keys()),
    })
  }
  return inside
}

/** Reads the graph's own `inputs` and `outputs`, which an enclosing graph connects. */
export function declareEnds(
  level: Level,
  value: Record<string, unknown>,
  at: (...path: Path) => Locator,
  subs: Subs,
  problems: Problem[],
): void {
  const names = new Set([...level.nodes.map(node => node.name), ...subs.keys()])
  for (const [name, stated] of Object.entries(isObject(value.inputs) ? value.inputs : {})) {
    const ends = (Array.isArray(stated) ? stated : [stated]).flatMap(text => {
      const end = endOf(String(text))
      if (level.nodes.some(node => node.name === end.node)) return [end]
      problems.push({
        code: 'unknown-node',
        ...locate(at('inputs', name)),
        rule: 'must feed a node of this graph',
        found: show(text),
        ...near(end.node, names),
      })
      return []
    })
    level.inputs.set(name, ends)
  }
  for (const [name, text] of Object.entries(isObject(value.outputs) ? value.outputs : {})) {
    const end = resolveEnd(endOf(String(text)), at('outputs', name), names, subs, problems)
    if (end) level.outputs.set(name, end)
  }
}

/** The nearest name of a node, and the end that is to be written with it. */
function nearEnd(end: End, names: Iterable<string>): Pick<Problem, 'hint' | 'nearest' | 'remedy'> {
  const found = near(end.node, names)
  if (found.nearest === undefined) return found
  return { ...found, remedy: `write "${endName({ ...end, node: found.nearest })}"` }
}
