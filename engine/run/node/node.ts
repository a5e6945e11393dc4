import type { Observable } from 'rxjs'
import { lastResort } from '../../graph/flatten/flat.ts'
import type { PlannedNode } from '../../graph/plan.ts'
import type { Context, Item, Streams } from '../../operator.ts'
import { clock } from '../../platform/clock.ts'
import { isOfMachine, messageOf } from '../../shared/errors.ts'
import { type Lease, leaseOf, OwnedLeases } from '../items/lease.ts'
import type { Ledger } from '../items/ledger.ts'
import type { Origin } from '../items/trace.ts'
import type { Cursor } from './cursor.ts'
import type { Edge } from './edge.ts'
import { describeFault } from './fault.ts'
import type { Host, NodeHost, PartnerRelease, SourcePump, Waiter } from './host.ts'
import { Inlet } from './inlet.ts'
import type { Input } from './input.ts'
import { ofKind } from './of-kind.ts'
import { Outlet } from './outlet.ts'
import type { Pump } from './scheduler.ts'
import type { Turn } from './turn.ts'
import { WorkClock } from './work-clock.ts'

const defaultCredits = 4
/** Steps that a node which wakes itself takes before other nodes get a turn. */
const stepsInTurn = 16

/** A node at work: hands items to the operator's streams, owns what is inside, and passes on what comes out. */
export class RunningNode implements Host, Pump {
  readonly planned: PlannedNode
  readonly ownedLeases = new OwnedLeases()
  queued = false
  credits = defaultCredits
  state: 'running' | 'ending' | 'ended' = 'running'
  /** Of a node that changes something in place: when it may make the next change. */
  turn: Turn | undefined
  /** Called when it may have come to rest. */
  readonly onRest: (() => void)[] = []
  readonly #inlet: Inlet
  readonly #outlet: Outlet
  readonly #host: NodeHost
  readonly #controller = clock.endOfMany()
  readonly #sources: SourcePump[] = []
  readonly #clock = new WorkClock()
  #releasePartnerless: PartnerRelease | undefined
  #wired: Streams = {}
  #working = 0
  #pumping = false
  #woken = false

  constructor(planned: PlannedNode, incoming: readonly Edge[], outgoing: readonly Edge[], host: NodeHost) {
    this.planned = planned
    this.#host = host
    this.#inlet = new Inlet(incoming, this)
    this.#outlet = new Outlet(Object.keys(planned.operator.outputs), outgoing, this)
    for (const edge of incoming) edge.onItem = () => this.wake()
    for (const edge of outgoing) edge.onRoom = () => this.wake()
  }

  get name(): string {
    return this.planned.name
  }

  get inputs(): readonly Input[] {
    return this.#inlet.inputs
  }

  get ledger(): Ledger {
    return this.#host.ledger
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get retries(): number {
    const { onError } = this.planned
    return typeof onError === 'object' ? (onError.retry ?? 0) : 0
  }

  get backoffMs(): number {
    const { onError } = this.planned
    return typeof onError === 'object' ? (onError.backoffMs ?? 0) : 0
  }

  /** It holds nothing but the newest items of inputs that keep the latest. */
  get isEmpty(): boolean {
    return this.ownedLeases.size === this.inputs.filter(input => input.latestItem).length
  }

  /** Calls of the operator that have not finished. */
  get working(): number {
    return this.#working
  }

  /** Time in which at least one call of the operator was running. */
  get workSeconds(): number {
    return this.#clock.seconds
  }

  get isRunning(): boolean {
    return this.state === 'running'
  }

  /** Asks the operator for its streams. `empty` is the stream of inputs that the graph leaves out. */
  wire(context: Context, concurrency: () => number | undefined, empty: Observable<Item>): void {
    const { operator, config } = this.planned
    const streams = this.#inlet.streams(Object.keys(operator.inputs), empty)
    try {
      this.#wired = operator.run(ofKind(streams, this.planned, this), config, context)
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
      this.#outlet.subscribe(this.#wired)
      this.wake()
    } catch (error) {
      this.fail(error)
    }
  }

  pump(): void {
    // all that is done in this turn counts as one piece of work
    this.begin()
    this.#pumping = true
    this.#woken = true
    try {
      for (let steps = 0; this.#woken && steps < stepsInTurn; steps++) {
        this.#woken = false
        this.#step()
      }
    } finally {
      this.#pumping = false
      if (this.#woken) this.wake()
      this.#leave()
    }
  }

  #step(): void {
    if (this.#outlet.unwanted) this.finish()
    if (!this.isRunning) return
    this.#outlet.callWaiters()
    for (const source of this.#sources) source.advance()
    this.#inlet.advance()
    if (this.isRunning) this.#inlet.settle()
  }

  /** First signal: sources end as if they had no more. */
  stop(): boolean {
    return this.#sources.filter(source => source.stop()).length > 0
  }

  /** Stops input and output and frees what RxJS holds; work that has begun is awaited. */
  finish(): void {
    if (!this.isRunning) return
    this.state = 'ending'
    this.#controller.abort()
    for (const source of this.#sources) source.stop()
    this.#outlet.unsubscribe()
    this.#inlet.cancel()
    if (this.#working === 0) this.#end()
  }

  /** Ends feedback edges into this node when all that comes from outside the cycle has come; tells whether it did. */
  closeFeedback(): boolean {
    return this.isRunning && this.#inlet.closeFeedback()
  }

  /** Releases what the node still holds, even under work that does not end. */
  releaseAll(): void {
    for (const lease of this.ownedLeases.all) lease.free()
  }

  begin(): void {
    if (this.#working++ > 0) return
    this.#clock.start()
    this.#host.scheduler.begin()
  }

  end(): void {
    if (this.turn) this.wake() // the next change may begin
    this.#leave()
  }
  /** Ends work, or a look at what is to do: a node that its own look woke would never rest. */
  #leave(): void {
    if (--this.#working > 0) return
    this.#clock.stop()
    for (const rest of this.onRest) rest()
    this.#host.scheduler.end()
    if (this.state === 'ending') this.#end()
  }

  wake(): void {
    if (this.#pumping) this.#woken = true
    else if (this.isRunning) this.#host.scheduler.wake(this)
  }

  /** A change in place waits for its turn; items that only add to its batch do not. */
  mayTake(outstanding: number): boolean {
    if (!this.turn) return true
    const { operator, config } = this.planned
    return outstanding + 1 < (operator.collects?.(config) ?? 1) || (!this.#isChanging && this.turn.open)
  }

  /** The operator works, or holds something that it made of what it was given. */
  get #isChanging(): boolean {
    const given = this.inputs.reduce(
      (sum, { outstanding, latestItem }) => sum + outstanding + (latestItem ? 1 : 0),
      0,
    )
    return this.#working > (this.#pumping ? 1 : 0) || this.ownedLeases.size > given
  }

  taken(): void {
    this.turn?.taken()
  }

  /** Lets it go on although its turn has not come, when nothing else can happen; returns whether it does. */
  forceTurn(): boolean {
    const may = this.isRunning && !this.#isChanging && this.inputs.some(({ mayChange }) => mayChange)
    if (!may || !this.turn?.force()) return false
    this.wake()
    return true
  }

  hasRoom(bytes: number): boolean {
    return this.#outlet.hasRoom(bytes)
  }

  whenRoom(waiter: Waiter): void {
    this.#outlet.whenRoom(waiter)
  }

  acknowledged(origin: Origin): void {
    this.#host.acknowledged(origin)
  }

  failed(error: unknown, item: Item): void {
    const lease = leaseOf(item)
    if (this.signal.aborted)
      this.#host.log(`${this.name}: its work ended after the abort: ${messageOf(error)}`, 'debug')
    else if (lastResort(this.planned.onError) === 'skip' && !isOfMachine(error))
      this.#host.skipped(this.planned, lease, error)
    else this.fail(error, lease)
  }

  fail(error: unknown, item?: Lease): void {
    this.#host.fail(describeFault(this.planned, error, item))
  }

  cursor(): Cursor | undefined {
    return this.#host.cursor(this.name)
  }

  addSource(source: SourcePump): void {
    this.#sources.push(source)
  }

  releasesPartnerless(release: PartnerRelease): void {
    this.#releasePartnerless = release
  }

  get makesItems(): boolean {
    return this.#sources.length > 0
  }

  /** Its operator holds items until their partners arrive. */
  get waitsForPartners(): boolean {
    return this.isRunning && this.#releasePartnerless !== undefined
  }

  /** Lets the operator release items whose partner can no longer arrive; returns whether it released any. */
  shed(isAlone: (lease: Lease) => boolean): boolean {
    const before = this.ownedLeases.size
    try {
      this.#releasePartnerless?.(item => isAlone(leaseOf(item)))
    } catch (error) {
      this.fail(error)
    }
    return this.ownedLeases.size < before
  }

  #end(): void {
    this.state = 'ended'
    this.releaseAll()
    for (const rest of this.onRest) rest()
    this.#outlet.close()
    this.#host.ended()
  }
}
