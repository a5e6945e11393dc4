import type { WireForm } from '../../wire-form.ts'
import { near } from '../did-you-mean.ts'
import { defaultCredits } from '../file/part-schema.ts'
import { endName, type FlatPart, locate, type Wire } from '../flatten/flat.ts'
import { lookUp } from '../look-up.ts'
import type { PlannedNode, PlannedPart } from '../plan.ts'
import { type Problem, show } from '../problem.ts'
import type { EdgeTypes } from './types.ts'

/** The parts of the command line, if it states any, in place of those of the file. */
export function statedParts(texts: readonly string[], ofFile: readonly FlatPart[]): readonly FlatPart[] {
  if (texts.length === 0) return ofFile
  return texts.map(text => {
    const [name = '', nodes = ''] = text.split('=', 2)
    const names = nodes.split(',').filter(node => node !== '')
    return { name, nodes: names, place: () => ({ path: `--part ${text}` }) }
  })
}

interface Checked {
  nodes: readonly PlannedNode[]
  types: EdgeTypes
  /** Undefined when nothing is known of them. */
  forms: Readonly<Record<string, WireForm>> | undefined
}

/** The parts with the names of their nodes. Reports what cannot be a part, and edges between parts that cannot be cut. */
export function planParts(parts: readonly FlatPart[], checked: Checked, problems: Problem[]): PlannedPart[] {
  const { nodes } = checked
  const partOf = new Map<string, string>()
  const planned = parts.map((part): PlannedPart => {
    const { name } = part
    if (!/^[A-Za-z][A-Za-z0-9_/-]*$/.test(name) || part.nodes.length === 0)
      problems.push(fault(part, 'must be NAME=NODE,NODE', show(part.place().path)))
    if (nodes.some(node => node.name === name))
      problems.push(fault(part, 'must not have the name of a node', show(name)))
    const members = part.nodes.flatMap((stated, i) => {
      const found = nodes.filter(node => node.name === stated || node.name.startsWith(`${stated}/`))
      if (found.length === 0) problems.push(unknown(stated, part.place(i), nodes))
      for (const node of found) {
        const other = partOf.get(node.name)
        if (other !== undefined)
          problems.push(
            fault(part, `must be in one part only, "${node.name}" is in "${other}" too`, show(stated), i),
          )
        partOf.set(node.name, name)
        if (node.wires.length === 0) problems.push(fault(part, sourceRule, show(node.name), i))
      }
      return found
    })
    const obstacles = members.flatMap(node => obstacleOf(node, part))
    const inside = new Set(members.map(({ name }) => name))
    return { name, credits: part.credits ?? creditsOf(members, inside), obstacles, nodes: inside }
  })
  for (const node of nodes)
    for (const wire of node.wires) checkCut(wire, node.name, partOf, checked, problems)
  return planned
}

/** A part is not to hold fewer items than the edges that hold them back let pass. */
function creditsOf(members: readonly PlannedNode[], inside: ReadonlySet<string>): number {
  const lags = members.flatMap(({ wires }) =>
    wires.flatMap(({ maxLag, from }) => (maxLag === undefined || inside.has(from.node) ? [] : [maxLag])),
  )
  return Math.max(defaultCredits, ...lags.map(lag => lag + 1))
}

const sourceRule = 'must have no source: sources stay with the home part, which knows how far each of them is'

const fault = (part: FlatPart, rule: string, found: string, index?: number): Problem => {
  return { code: 'bad-part', ...part.place(index), rule, found }
}

function unknown(
  stated: string,
  place: ReturnType<FlatPart['place']>,
  nodes: readonly PlannedNode[],
): Problem {
  const names = nodes.map(({ name }) => name)
  return {
    code: 'unknown-node',
    ...place,
    rule: 'must name nodes of the graph',
    found: show(stated),
    ...near(stated, names),
  }
}

/** Processes share the items of a part: what a node keeps from one item to the next would be lost. */
function obstacleOf({ name, operatorName, operator, config }: PlannedNode, part: FlatPart): Problem[] {
  const size = Math.max(
    operator.collects?.(config) ?? 1,
    operator.collects ? (operator.credits?.(config) ?? 1) : 1,
  )
  if (size <= 1 && operator.serial !== true && !changesInPlace(operator)) return []
  const found = size > 1 ? `"${name}" (${operatorName}) collects ${size}` : `"${name}" (${operatorName})`
  const remedy =
    size > 1
      ? 'let it collect 1 (for the shipped evaluations: --set batch=1), or leave it out of the part'
      : 'leave it out of the part'
  const rule = 'must work item by item to run in several processes'
  return [{ code: 'bad-part', ...part.place(), rule, found, remedy }]
}

const changesInPlace = ({ outputs }: PlannedNode['operator']): boolean =>
  Object.values(outputs).some(port => typeof port === 'object' && port.inPlace === true)

function checkCut(
  wire: Wire,
  node: string,
  partOf: ReadonlyMap<string, string>,
  { types, forms }: Checked,
  problems: Problem[],
): void {
  const [from, to] = [partOf.get(wire.from.node), partOf.get(node)]
  const kind = types.resolved(wire.from)?.kind
  if (from === to || !forms || kind === undefined || kind === 'any' || lookUp(forms, kind)) return
  const side = (part: string | undefined) => (part === undefined ? 'the home part' : `part "${part}"`)
  problems.push({
    code: 'no-wire-form',
    ...locate(wire.at),
    rule: `must not lead from ${side(from)} to ${side(to)}: values of kind "${kind}" cannot travel between processes`,
    found: `${endName(wire.from)} → ${node}.${wire.port}`,
    remedy: `put both nodes into one part, or cut where the kind is one of: ${Object.keys(forms).sort().join(', ')}`,
  })
}
