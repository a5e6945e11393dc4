import type { Observable } from 'rxjs'
import type { Item, Streams } from '../../operator.ts'
import type { Edge } from './edge.ts'
import { Gate } from './gate.ts'
import { Input, type InputHost } from './input.ts'

/** The node, as its inlet sees it. */
export interface InletHost extends InputHost {
  readonly isRunning: boolean
  hasRoom(bytes: number): boolean
}

/** All inputs of a node, and the order in which they hand items to it. */
export class Inlet {
  readonly inputs: readonly Input[]
  readonly #latest: readonly Input[]
  readonly #drivers: readonly Input[]
  readonly #host: InletHost

  constructor(incoming: readonly Edge[], host: InletHost) {
    const ports = [...new Set(incoming.map(edge => edge.wire.port))]
    this.inputs = ports.map(
      port =>
        new Input(
          port,
          incoming.filter(edge => edge.wire.port === port),
          host,
        ),
    )
    this.#latest = this.inputs.filter(input => input.latest)
    this.#drivers = this.inputs.filter(input => !input.latest)
    this.#host = host
    for (const edge of incoming) this.#addGates(edge)
  }

  /** The streams that an operator is given. `empty` is the stream of inputs that the graph leaves out. */
  streams(ports: readonly string[], empty: Observable<Item>): Streams {
    return Object.fromEntries(
      ports.map(port => [port, this.inputs.find(input => input.port === port)?.stream ?? empty]),
    )
  }

  /** Hands over all items that the node may take now. */
  advance(): void {
    this.#refresh()
    if (this.#ready()) this.#deliver()
  }

  /** Completes the streams that can get no more items. */
  settle(): void {
    const driversDone =
      this.#latest.length > 0 && this.#drivers.length > 0 && this.#drivers.every(isCompleted)
    for (const input of this.inputs) if (this.#host.isRunning) input.settle(driversDone)
  }

  /** Ends feedback edges once every item from outside the cycle has arrived; returns whether it ended any. */
  closeFeedback(): boolean {
    if (!this.inputs.every(input => input.done)) return false
    const open = this.inputs.flatMap(input => input.edges).filter(edge => edge.feedback && !edge.done)
    for (const edge of open) edge.close()
    return open.length > 0
  }

  cancel(): void {
    for (const input of this.inputs) input.cancel()
  }

  #addGates(edge: Edge): void {
    const { maxLag } = edge.wire
    if (maxLag === undefined) return
    for (const input of this.inputs) {
      if (input.edges.includes(edge)) continue
      input.gates = [...input.gates, new Gate(edge, maxLag, () => this.#host.wake())]
    }
  }

  #deliver(): void {
    for (let moved = true; moved; ) {
      moved = false
      for (const driver of this.#drivers) {
        if (!this.#host.isRunning || !this.#host.hasRoom(0)) return
        if (driver.deliver()) moved = true
        this.#refresh()
      }
    }
  }

  #refresh(): void {
    for (const input of this.#latest) input.refresh()
  }

  /** Every latest value that work needs is there. */
  #ready(): boolean {
    for (const input of this.#latest) if (!input.ready) return false
    return true
  }
}

const isCompleted = (input: Input): boolean => input.completed
