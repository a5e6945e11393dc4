import { onTheWay } from '../../graph/checks/batches.ts'
import type { PlannedNode } from '../../graph/plan.ts'
import { type Edge, Reader } from './edge.ts'
import type { Gate } from './gate.ts'
import type { Input } from './input.ts'

/**
 * When a node that changes something in place, e.g. weights, may make the next change: when nothing works with the last one
 * any more. That is: all that descends from the items which told of it is released; every item that may be worked on with
 * it has left the nodes of the cycle before the change; processes that follow the change have their copy.
 */
export class Turn {
  readonly #loops: readonly Loop[]
  readonly #copies: readonly Copy[]
  #readers = 0
  #isForced = false

  constructor(loops: readonly Loop[], copies: readonly Copy[], edges: readonly Edge[], wake: () => void) {
    this.#loops = loops
    this.#copies = copies
    const settled = () => {
      this.#readers--
      wake()
    }
    for (const edge of edges)
      edge.reader = () => {
        this.#readers++
        return new Reader(settled)
      }
  }

  get open(): boolean {
    if (this.#isForced) return true
    if (this.#readers > 0) return false
    if (this.#copies.some(({ edge, busy }) => edge.size > 0 || busy())) return false
    return this.#loops.every(isAtRest)
  }

  /** Lets one item pass when nothing else can happen; returns whether that changes anything. */
  force(): boolean {
    // a copy is work, so it ends
    if (this.open || this.#copies.some(({ busy }) => busy())) return false
    this.#isForced = true
    return true
  }

  taken(): void {
    this.#isForced = false
  }
}

/** The edge that tells other processes of a change, and whether their copy is still being made. */
interface Copy {
  edge: Edge
  busy(): boolean
}

/** A running node, as turns see it. */
interface Member {
  readonly name: string
  readonly planned: PlannedNode
  readonly inputs: readonly Input[]
  readonly isEmpty: boolean
  readonly onRest: (() => void)[]
  turn: Turn | undefined
  wake(): void
}

/** The nodes from the one that a gate holds back up to the change, and the edges between them. */
interface Loop {
  gate: Gate
  /** The node that the gate holds back. */
  gated: Member
  nodes: readonly Member[]
  edges: readonly Edge[]
}

function isAtRest({ gate, gated, nodes, edges }: Loop): boolean {
  const held = gated.inputs.filter(input => input.gates.includes(gate))
  return (
    held.every(input => !gate.open || input.done) &&
    nodes.every(node => node.isEmpty) &&
    edges.every(edge => edge.size === 0)
  )
}

/** Gives each node that changes something in place its turn. */
export function giveTurns(nodes: readonly Member[], edges: readonly Edge[]): void {
  const planned = nodes.map(node => node.planned)
  const feedback = edges.filter(({ feedback, latest }) => feedback && latest)
  for (const node of nodes) {
    const ports = portsInPlace(node.planned)
    if (ports.length === 0) continue
    const wake = () => node.wake()
    const after = feedback.filter(edge => onTheWay(node.name, edge.wire.from.node, planned).length > 0)
    const consumer = (edge: Edge) => nodes.find(({ name }) => name === edge.consumer)
    const copies = after.flatMap(edge => {
      const copier = consumer(edge)?.planned.copier
      if (!copier) return []
      copier.onIdle.push(wake)
      return [{ edge, busy: () => copier.busy }]
    })
    const loops = after.flatMap(edge => {
      const gated = consumer(edge)
      const gate = gated?.inputs.flatMap(({ gates }) => gates).find(one => one.edge === edge)
      // without a lag the gate itself waits for the change
      if (!gated || !gate || gate.maxLag === 0 || gated.planned.copier) return []
      return [loopTo(node, gate, gated, { nodes, edges, planned })]
    })
    for (const loop of loops) for (const other of loop.nodes) other.onRest.push(wake)
    const tells = edges.filter(
      ({ wire, feedback, latest }) =>
        wire.from.node === node.name && ports.includes(wire.from.port) && !feedback && !latest,
    )
    node.turn = new Turn(loops, copies, tells, wake)
  }
}

function loopTo(
  node: Member,
  gate: Gate,
  gated: Member,
  {
    nodes,
    edges,
    planned,
  }: { nodes: readonly Member[]; edges: readonly Edge[]; planned: readonly PlannedNode[] },
): Loop {
  const names = new Set(onTheWay(gated.name, node.name, planned))
  names.delete(node.name)
  const isWithin = ({ wire, consumer, feedback }: Edge) =>
    names.has(wire.from.node) && names.has(consumer) && !feedback
  return { gate, gated, nodes: nodes.filter(({ name }) => names.has(name)), edges: edges.filter(isWithin) }
}

const portsInPlace = ({ operator }: PlannedNode): string[] =>
  Object.entries(operator.outputs).flatMap(([name, port]) =>
    typeof port === 'object' && port.inPlace === true ? [name] : [],
  )
