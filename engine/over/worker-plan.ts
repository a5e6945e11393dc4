// The plan of a worker: the nodes of its part between one that receives items and one that replies.
//
//   over/receive ─ … ─ over/gate ─ node that follows versions ─ … ─ over/reply
//                                 │
//                   over/versions ┘
import { endName, type Wire } from '../graph/flatten/flat.ts'
import type { Plan, PlannedNode } from '../graph/plan.ts'
import type { Operator, Ports } from '../operator.ts'
import { type CutPart, portsOf } from './cut.ts'

/** How a worker gets items and versions, holds items back, and gives back what became of them. */
export interface Ends {
  readonly receive: Operator['run']
  readonly versions: Operator['run']
  /** From `items` to `items`. */
  readonly gate: Operator['run']
  readonly reply: Operator['run']
}

/** `waiting`: items that may wait at the gate. */
export function workerPlan(plan: Plan, part: CutPart, waiting: number, ends: Ends): Plan {
  const { receive, versions, gate, reply } = ends
  const inside = plan.nodes.filter(({ name }) => part.nodes.has(name))
  const items = part.inputs.filter(({ latest }) => !latest)
  const latest = part.inputs.filter(({ latest }) => latest)
  const nodes = [
    made(names.receive, 'Takes items from the home part.', { outputs: portsOf(items), run: receive }),
    ...inside.map(node => ({ ...node, wires: node.wires.map(wire => fed(wire, node.name, part)) })),
  ]
  if (latest.length > 0) {
    const about = { outputs: portsOf(latest), run: versions }
    nodes.push(made(names.versions, 'Tells of the versions that the worker has taken.', about))
  }
  if (part.gate) {
    const { node, port, kind } = part.gate
    const [wire] = inside.find(({ name }) => name === node)?.wires.filter(one => one.port === port) ?? []
    const ports = { items: kind }
    const about = { inputs: ports, outputs: ports, credits: () => waiting, run: gate }
    const summary = 'Holds items back until the worker has the version that they are worked on with.'
    if (wire)
      nodes.push(made(names.gate, summary, about, [{ ...fed(wire, names.gate, part), port: 'items' }]))
  }
  if (part.outputs.length > 0) {
    const about = { inputs: portsOf(part.outputs), effects: true, run: reply }
    const wires = part.outputs.map(({ end }) => replyWire(end, plan))
    nodes.push(made(names.reply, 'Gives results back.', about, wires))
  }
  const resources = plan.resources.filter(({ name }) => part.resources.has(name))
  const { checkpoint: _, ...rest } = plan
  return { ...rest, nodes, resources }
}

const names = {
  receive: 'over/receive',
  versions: 'over/versions',
  gate: 'over/gate',
  reply: 'over/reply',
} as const

type About = Pick<Operator, 'run' | 'effects' | 'credits'> & { inputs?: Ports; outputs?: Ports }

function made(name: string, summary: string, about: About, wires: readonly Wire[] = []): PlannedNode {
  const operator: Operator = { summary, config: {}, inputs: {}, outputs: {}, ...about }
  return { name, operatorName: name, operator, scope: '', config: {}, onError: 'stop', wires }
}

/** An edge from outside comes from the node that receives, and the home part holds items back. */
function fed(wire: Wire, node: string, { nodes, gate }: CutPart): Wire {
  if (gate?.node === node && gate.port === wire.port)
    return { ...wire, from: { node: names.gate, port: 'items' } }
  if (nodes.has(wire.from.node)) return wire
  const { initial: _, maxLag: __, ...rest } = wire
  const from = wire.keep === 'latest' ? names.versions : names.receive
  return { ...rest, from: { node: from, port: `${node}.${wire.port}` } }
}

/** The edge into the replying node. Several edges may leave the part from this end: the first one gives the capacity. */
function replyWire(end: string, plan: Plan): Wire {
  const wire = plan.nodes.flatMap(({ wires }) => wires).find(({ from }) => endName(from) === end)
  if (!wire) throw new Error(`${end}: must be an end of an edge`)
  const { initial: _, maxLag: __, ...rest } = wire
  return { ...rest, port: end, keep: 'all', whenFull: 'block' }
}
