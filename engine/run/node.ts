import type { Observable, Subscription } from 'rxjs'
import type { PlannedNode } from '../graph/check.ts'
import type { Context, Item, Streams } from '../operator.ts'
import type { Cursor } from './cursor.ts'
import type { Edge } from './edge.ts'
import { messageOf, RunError } from './error.ts'
import type { Host, SourcePump, Waiter } from './host.ts'
import { Gate, Input } from './input.ts'
import { Held, Lease, type Ledger, leaseOf, Origin } from './ledger.ts'
import type { Pump, Scheduler } from './scheduler.ts'

/** What a node asks of the run around it. */
export interface NodeHost {
  readonly ledger: Ledger
  readonly scheduler: Scheduler
  /** The run must end with this error. */
  fail(error: unknown): void
  /** An item was given up: it goes to the dead letters. */
  skipped(node: PlannedNode, item: Lease, error: unknown): void
  acknowledged(origin: Origin): void
  log(message: string): void
  ended(node: RunningNode): void
  cursor(node: string): Cursor | undefined
}

const defaultCredits = 4
/** Reading the clock takes longer than brief work: after so many times, only one in so many is timed. */
const alwaysTimed = 256
const timedOfBrief = 32
const briefSeconds = 20e-6
/** Steps that a node whose own doings wake it takes before others get their turn. */
const stepsInTurn = 16

/** A node at work: hands items to the operator's streams, owns what is inside, and passes on what comes out. */
export class RunningNode implements Host, Pump {
  readonly planned: PlannedNode
  readonly held = new Held()
  readonly inputs: readonly Input[]
  queued = false
  credits = defaultCredits
  state: 'running' | 'ending' | 'ended' = 'running'
  /** Time with work under way. */
  workSeconds = 0
  readonly #outputs: ReadonlyMap<string, readonly Edge[]>
  readonly #outgoing: readonly Edge[]
  readonly #latest: readonly Input[]
  readonly #drivers: readonly Input[]
  readonly #host: NodeHost
  readonly #controller = new AbortController()
  readonly #sources: SourcePump[] = []
  readonly #waiters = new Set<Waiter>()
  readonly #subscriptions: Subscription[] = []
  #wired: Streams = {}
  #open = 0
  #working = 0
  #pumping = false
  #woken = false
  #begun = 0
  #since = 0
  #timedOf = 1

  constructor(planned: PlannedNode, incoming: readonly Edge[], outgoing: readonly Edge[], host: NodeHost) {
    this.planned = planned
    this.#host = host
    const ports = [...new Set(incoming.map(edge => edge.wire.port))]
    this.inputs = ports.map(
      port =>
        new Input(
          port,
          incoming.filter(edge => edge.wire.port === port),
          this,
        ),
    )
    this.#latest = this.inputs.filter(input => input.latest)
    this.#drivers = this.inputs.filter(input => !input.latest)
    this.#outgoing = outgoing
    const outputs = Object.keys(planned.operator.outputs)
    this.#outputs = new Map(
      outputs.map(port => [port, outgoing.filter(edge => edge.wire.from.port === port)]),
    )
    for (const edge of incoming) edge.onItem = () => this.wake()
    for (const edge of outgoing) edge.onRoom = () => this.wake()
    for (const edge of incoming) this.#addGates(edge)
  }

  get name(): string {
    return this.planned.name
  }

  get ledger(): Ledger {
    return this.#host.ledger
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get retries(): number {
    const { onError } = this.planned
    return typeof onError === 'object' ? onError.retry : 0
  }

  get backoffMs(): number {
    const { onError } = this.planned
    return typeof onError === 'object' ? (onError.backoffMs ?? 0) : 0
  }

  /** It holds nothing but the newest items of inputs that keep the latest. */
  get isEmpty(): boolean {
    return this.held.size === this.inputs.filter(input => input.latestItem).length
  }

  get working(): number {
    return this.#working
  }

  /** Asks the operator for its streams. `empty` stands for inputs that the graph leaves out. */
  wire(context: Context, concurrency: () => number | undefined, empty: Observable<Item>): void {
    const { operator, config } = this.planned
    const streams = Object.fromEntries(
      Object.keys(operator.inputs).map(port => [
        port,
        this.inputs.find(input => input.port === port)?.stream ?? empty,
      ]),
    )
    try {
      this.#wired = operator.run(streams, config, context)
      this.credits = Math.max(
        operator.credits?.(config) ?? operator.collects?.(config) ?? concurrency() ?? defaultCredits,
        this.planned.parallel ?? 1,
      )
    } catch (error) {
      this.fail(error)
    }
  }

  /** Subscribes to the streams: items flow from now on. */
  start(): void {
    try {
      this.#subscribe(this.#wired)
    } catch (error) {
      this.fail(error)
    }
  }

  pump(): void {
    this.#pumping = true
    this.#woken = true
    try {
      for (let steps = 0; this.#woken && steps < stepsInTurn; steps++) {
        this.#woken = false
        this.#step()
      }
    } finally {
      this.#pumping = false
    }
    if (this.#woken) this.wake()
  }

  #step(): void {
    if (this.state !== 'running') return
    if (this.#unwanted()) this.#finish()
    if (!this.#isRunning()) return
    if (this.#waiters.size > 0 && this.hasRoom(0)) {
      const waiters = [...this.#waiters]
      this.#waiters.clear()
      for (const waiter of waiters) waiter()
    }
    this.#refresh()
    for (let i = 0; i < this.#sources.length; i++) this.#sources[i].advance()
    if (this.#ready()) this.#deliver()
    const driversDone =
      this.#latest.length > 0 && this.#drivers.length > 0 && this.#drivers.every(isCompleted)
    for (let i = 0; i < this.inputs.length; i++) if (this.#isRunning()) this.inputs[i].settle(driversDone)
  }

  /** First signal: sources end as if they had no more. */
  stop(): void {
    for (const source of this.#sources) source.stop()
  }

  /** The run is over: edges have been cancelled; what RxJS holds is let go. */
  abort(): void {
    this.#finish()
  }

  /** Ends feedback edges into this node when all that comes from outside the cycle has come; tells whether it did. */
  closeFeedback(): boolean {
    if (this.state !== 'running' || !this.inputs.every(input => input.done)) return false
    const open = this.inputs.flatMap(input => input.edges).filter(edge => edge.feedback && !edge.done)
    for (const edge of open) edge.close()
    return open.length > 0
  }

  /** Releases what the node still holds, even under work that does not end. */
  releaseAll(): void {
    for (const lease of this.held.all) if (lease.open) lease.release()
  }

  begin(): void {
    if (this.#working++ === 0 && this.#begun++ % this.#timedOf === 0) this.#since = performance.now()
    this.#host.scheduler.begin()
  }

  end(): void {
    if (--this.#working === 0 && this.#since > 0) {
      this.workSeconds += ((performance.now() - this.#since) / 1000) * this.#timedOf
      this.#since = 0
      if (this.#begun > alwaysTimed)
        this.#timedOf = this.workSeconds / this.#begun < briefSeconds ? timedOfBrief : 1
    }
    this.#host.scheduler.end()
    if (this.state === 'ending' && this.#working === 0) this.#end()
  }

  wake(): void {
    if (this.#pumping) this.#woken = true
    else if (this.state === 'running') this.#host.scheduler.wake(this)
  }

  wakeNow(): void {
    if (this.state === 'running') this.#host.scheduler.wakeNow(this)
  }

  hasRoom(bytes: number): boolean {
    const edges = this.#outgoing
    for (let i = 0; i < edges.length; i++) if (!edges[i].hasRoom(bytes)) return false
    return true
  }

  whenRoom(waiter: Waiter): void {
    this.#waiters.add(waiter)
  }

  root<T>(
    value: T,
    options: { key: string; bytes?: number; dispose?: () => void },
    acknowledge?: () => void,
  ): Lease<T> {
    const origin = new Origin(this.name, options.key, settled => {
      acknowledge?.()
      this.#host.acknowledged(settled)
    })
    return Lease.root(this.ledger, value, this.name, options, [origin], this)
  }

  failed(error: unknown, item: Item): void {
    const lease = leaseOf(item)
    if (this.signal.aborted) this.#host.log(`${this.name}: ended under way: ${messageOf(error)}`)
    else if (lastResort(this.planned.onError) === 'skip') this.#host.skipped(this.planned, lease, error)
    else this.fail(error, lease)
  }

  fail(error: unknown, item?: Lease): void {
    const code = error instanceof RunError ? error.code : 'operator-failed'
    const about = item ? `, item "${item.key}", seed ${item.seed}` : ''
    const message = `node "${this.name}" (${this.planned.operatorName})${about}: ${messageOf(error)}`
    const { key, seed } = item ?? {}
    this.#host.fail(
      new RunError(code, message, {
        node: this.name,
        cause: error,
        ...(key !== undefined && { key }),
        ...(seed !== undefined && { seed }),
      }),
    )
  }

  cursor(): Cursor | undefined {
    return this.#host.cursor(this.name)
  }

  addSource(source: SourcePump): void {
    this.#sources.push(source)
  }

  // a method, because the type checker believes that a property cannot change between two reads
  #isRunning(): boolean {
    return this.state === 'running'
  }

  #addGates(edge: Edge): void {
    const { maxLag } = edge.wire
    if (maxLag === undefined) return
    for (const input of this.inputs) {
      if (input.edges.includes(edge)) continue
      input.gates = [...input.gates, new Gate(edge, maxLag, () => this.wake())]
    }
  }

  #subscribe(streams: Streams): void {
    const wired = Object.entries(streams)
    if (wired.length === 0)
      throw new RunError('operator-misused', 'must return a stream for the engine to subscribe to')
    for (const port of this.#outputs.keys()) {
      if (!(port in streams))
        throw new RunError('operator-misused', `must return a stream for the output "${port}"`)
    }
    this.#open = wired.length
    for (const [port, stream] of wired) {
      const edges = this.#outputs.get(port)
      const subscription = stream.subscribe({
        next: item => this.#emit(port, edges, item),
        error: error => this.fail(error),
        complete: () => {
          if (--this.#open === 0) this.#finish()
        },
      })
      this.#subscriptions.push(subscription)
      if (!this.#isRunning()) subscription.unsubscribe()
    }
    this.wake()
  }

  /** Every fault is caught here: RxJS would report what an observer throws as an uncaught exception. */
  #emit(port: string, edges: readonly Edge[] | undefined, item: unknown): void {
    try {
      const lease = leaseOf(item)
      if (!edges)
        throw new RunError(
          'operator-misused',
          `must emit nothing on "${port}", which is not one of its outputs`,
        )
      if (lease.holder !== this)
        throw new RunError(
          'operator-misused',
          `must not emit item "${lease.key}" twice or released: derive another`,
        )
      lease.moveTo(undefined)
      if (edges.length === 1) {
        const fault = edges[0].put(lease)
        if (fault) throw fault
        return
      }
      if (edges.length === 0) lease.release()
      // every copy gets an owner before the first edge may complain
      const copies = edges.map((_, i) => (i === 0 ? lease : lease.fork()))
      const faults = edges.flatMap((edge, i) => edge.put(copies[i]) ?? [])
      if (faults[0]) throw faults[0]
    } catch (error) {
      this.fail(error)
    }
  }

  #deliver(): void {
    for (let moved = true; moved; ) {
      moved = false
      for (let i = 0; i < this.#drivers.length; i++) {
        if (!this.#isRunning() || !this.hasRoom(0)) return
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

  /** All its outputs are connected, and everybody who listened has stopped. */
  #unwanted(): boolean {
    for (let i = 0; i < this.#outgoing.length; i++) {
      const edge = this.#outgoing[i]
      if (!edge.cancelled || edge.feedback) return false
    }
    return this.#outgoing.length > 0 && [...this.#outputs.values()].every(edges => edges.length > 0)
  }

  #finish(): void {
    if (!this.#isRunning()) return
    this.state = 'ending'
    this.#controller.abort()
    for (const source of this.#sources) source.stop()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    for (const input of this.inputs) input.cancel()
    if (this.#working === 0) this.#end()
  }

  #end(): void {
    this.state = 'ended'
    this.releaseAll()
    for (const edges of this.#outputs.values()) for (const edge of edges) edge.close()
    this.#host.ended(this)
  }
}

const isCompleted = (input: Input): boolean => input.completed

/** What happens when no attempt is left. */
const lastResort = (onError: PlannedNode['onError']) =>
  typeof onError === 'object' ? (onError.otherwise ?? 'stop') : onError
