import type { Observable } from 'rxjs'
import type { Item, Streams } from '../../operator.ts'
import type { Edge } from './edge.ts'
import { Gate, Input, type InputHost } from './input.ts'

/** What the way into a node asks of the node. */
export interface InletHost extends InputHost {
  readonly isRunning: boolean
  hasRoom(bytes: number): boolean
}

/** The way into a node: its inputs, and in which order they hand items over. */
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

  /** The streams that an operator is given. `empty` stands for inputs that the graph leaves out. */
  streams(ports: readonly string[], empty: Observable<Item>): Streams {
    return Object.fromEntries(
      ports.map(port => [port, this.inputs.find(input => input.port === port)?.stream ?? empty]),
    )
  }

  /** Hands over what there is, as far as it may. */
  advance(): void {
    this.#refresh()
    if (this.#ready()) this.#deliver()
  }

  /** Completes the streams to which nothing more can come. */
  settle(): void {
    const driversDone =
      this.#latest.length > 0 && this.#drivers.length > 0 && this.#drivers.every(isCompleted)
    for (let i = 0; i < this.inputs.length; i++) if (this.#host.isRunning) this.inputs[i].settle(driversDone)
  }

  /** Ends feedback edges when all that comes from outside the cycle has come; tells whether it did. */
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
      for (let i = 0; i < this.#drivers.length; i++) {
        if (!this.#host.isRunning || !this.#host.hasRoom(0)) return
        if (this.#drivers[i].deliver()) moved = true
        this.#refresh()
      }
    }
  }

  #refresh(): void {
    for (let i = 0; i < this.#latest.length; i++) this.#latest[i].refresh()
  }

  /** Every latest value that work needs is there. */
  #ready(): boolean {
    for (let i = 0; i < this.#latest.length; i++) if (!this.#latest[i].ready) return false
    return true
  }
}

const isCompleted = (input: Input): boolean => input.completed
