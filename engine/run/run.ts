import { nodeFacts } from '../graph/node-facts.ts'
import { type Plan, type PlannedNode, partsOf } from '../graph/plan.ts'
import { hide } from '../graph/secrets.ts'
import type { Durable, GraphPart, LogLevel, Progress } from '../operator.ts'
import { clock } from '../platform/clock.ts'
import { messageOf } from '../shared/errors.ts'
import { Checkpoints, lost } from './checkpoint/checkpoint.ts'
import { type RunState, readState } from './checkpoint/folder.ts'
import { RunError } from './error.ts'
import type { Lease } from './items/lease.ts'
import { Ledger } from './items/ledger.ts'
import { Origin } from './items/trace.ts'
import { Lifetimes } from './lifetimes.ts'
import { linkedRun } from './linked.ts'
import type { CheckpointPart, Services } from './node/context.ts'
import type { Cursor } from './node/cursor.ts'
import type { NodeHost } from './node/host.ts'
import { Network } from './node/network.ts'
import { Scheduler } from './node/scheduler.ts'
import { StallWatch } from './node/stall.ts'
import { RunProgress } from './progress.ts'
import { obey } from './record/control.ts'
import { Instruments } from './record/instruments.ts'
import { Journal } from './record/journal.ts'
import { describeRun, otherFamily } from './record/manifest.ts'
import { type Observer, observe } from './record/observer.ts'
import { Resources } from './resources.ts'
import { excessOf, skippedLine } from './skips.ts'
import { Stopping } from './stopping.ts'
import { type Run, type RunOptions, type RunSummary, statusOf } from './summary.ts'

/** Starts a checked graph. */
export function startRun(plan: Plan, options: RunOptions): Run {
  const run = new GraphRun(plan, options)
  return Object.assign(run, { done: run.run() })
}

/** A run from its first file to its summary: it opens resources, lets items flow, and frees everything in every case. */
class GraphRun implements NodeHost, Services {
  readonly seed: number
  /** Where operators write files. */
  readonly directory: string
  readonly #folder: string
  readonly parts: readonly GraphPart[]
  readonly ledger: Ledger
  readonly scheduler = new Scheduler(() => this.#quiet())
  readonly lifetimes = new Lifetimes()
  readonly #plan: Plan
  readonly #options: RunOptions
  readonly #started = new Date()
  readonly #stall: StallWatch
  readonly #controller = clock.endOfMany()
  readonly #resources: Resources
  readonly #instruments = new Instruments()
  readonly gauge = this.#instruments.gauge
  readonly inspect = this.#instruments.inspect
  readonly together: Services['together']
  readonly expectations = new RunProgress(state => this.#options.onEvent?.({ type: 'progress', state }))
  readonly progress = (state: Progress): void => this.expectations.told(state)
  #journal: Journal | undefined
  #observer: Observer | undefined
  #network: Network | undefined
  readonly #stopping: Stopping
  #error: RunError | undefined
  #acknowledged = 0
  #checkpoints: Checkpoints | undefined

  constructor(plan: Plan, options: RunOptions) {
    this.#plan = plan
    this.#options = options
    this.together = options.together
    this.#resources = new Resources(plan.resources)
    this.#stall = new StallWatch(this, options.stallSeconds)
    this.seed = options.seed
    this.#folder = options.directory
    this.directory = options.link?.filesDirectory ?? options.directory
    this.#stopping = new Stopping(plan.checkpoint !== undefined, options.link)
    this.parts = partsOf(options.link?.whole ?? plan)
    const disposing = (cause: unknown) => `disposing a value: ${messageOf(cause)}`
    this.ledger = new Ledger(options.seed, cause =>
      this.fail(new RunError('operator-failed', disposing(cause), { cause })),
    )
  }

  async run(): Promise<RunSummary> {
    const begin = performance.now() - 1000 * (this.#options.secondsBefore ?? 0)
    try {
      const { from, facts } = this.#options
      const past = from === undefined ? undefined : await readState(from)
      this.#journal = new Journal(this.#folder, Object.keys(past?.files ?? {}), this.#plan.secrets, error => {
        if (!this.#error) this.fail(error)
      })
      this.#acknowledged = past?.acknowledged ?? 0
      // an older checkpoint does not name the nodes
      this.ledger.recall(this.#acknowledged, past?.skips ?? { '': past?.skipped ?? 0 })
      this.#checkpoints = this.#makeCheckpoints(from, past)
      this.#journal.describe(nodeFacts(this.#plan))
      this.#journal.state({ ...(await describeRun(this.#plan, this.seed, this.#started)), ...facts })
      this.#options.link?.begin(linkedRun(this, this.#controller.signal, this.#options.link.whole))
      await this.#resources.open(this, this.#controller.signal, this.#restore('resource'))
      if (!this.#error) await this.#runNetwork()
      if (!this.#error) await this.#checkpoints?.save()
      if (!this.#stopping.isCut(this.#network, this.expectations)) this.#refuseSkipped(true)
    } catch (error) {
      this.fail(error)
    }
    await this.#checkpoints?.saving
    for (const error of await this.lifetimes.closeAll()) this.fail(error)
    if (this.ledger.live > 0) this.fail(new RunError('leak', `${this.ledger.live} values were never freed`))
    this.#stall.close()
    const seconds = (performance.now() - begin) / 1000
    try {
      this.#journal?.conclude(this.#summary(seconds))
    } catch (error) {
      this.fail(error)
    }
    this.#journal?.close()
    return this.#summary(seconds)
  }

  get open(): number {
    return this.ledger.open
  }

  stop(): void {
    this.#stopping.ask()
    this.scheduler.continue()
    if (this.#checkpoints) this.#checkpoints.stop()
    else this.#network?.stopSources()
    this.#network?.wake()
  }

  abort = (error: unknown = new RunError('aborted', 'the run was aborted')): void => this.fail(error)

  fail(error: unknown): void {
    const first = this.#error === undefined
    const fault =
      error instanceof RunError ? error : new RunError('operator-failed', messageOf(error), { cause: error })
    this.#error ??= fault
    // when a full disk is the error the log cannot take it; the summary still has it
    this.#journal?.logFault(fault)
    if (!first) return
    this.scheduler.continue()
    this.#controller.abort()
    this.#network?.cancel()
  }

  ended = (): void => this.#network?.ended()

  idle(): boolean {
    const saves = this.#checkpoints?.saving !== undefined // a save that never ends fails by itself
    if (!saves && this.#network) this.#stall.end(this.#network.nodes, this.#network.edges)
    return !saves
  }

  skipped(node: PlannedNode, item: Lease, error: unknown): void {
    this.ledger.skip(node.name)
    for (const trace of item.traces) if (trace instanceof Origin) trace.skip(node.name, item.key, error)
    this.#journal?.bury(node, item, error)
    this.log(skippedLine(node, item, error), 'warn', node.name)
    this.#refuseSkipped(false)
  }

  #refuseSkipped(isOver: boolean): void {
    if (this.#options.link?.isHome === false) return
    const { nodes } = this.#options.link?.whole ?? this.#plan
    const { skips, skipped } = this.ledger
    const { expected } = this.expectations
    const excess = excessOf(nodes, skips, { seen: this.#acknowledged + skipped, expected, isOver })
    if (excess && !this.#error) this.fail(excess)
  }

  leaves = (item: Lease): boolean => this.#stopping.leaves(item)

  acknowledged({ key, call, faults, failed, isLeft }: Origin): void {
    this.ledger.settle(isLeft)
    if (this.#error) return
    call?.settled(faults, isLeft)
    if (!failed && !isLeft) this.#acknowledged++
    this.expectations.settled(this.ledger.done)
    if (!failed) this.#options.onEvent?.({ type: 'acknowledged', key: String(key), open: this.ledger.open })
  }

  readonly #restore = (kind: CheckpointPart['kind']) => async (name: string) => {
    await this.#checkpoints?.restore({ kind, name })
    await this.#options.link?.restore?.({ kind, name })
  }

  cursor = (node: string): Cursor | undefined => this.#checkpoints?.cursor(node)

  checkpoint(part: CheckpointPart, state: Durable): void {
    this.#options.link?.durable(part, state)
    if (this.#checkpoints) this.#checkpoints.register(part, state)
    else if (part.kind === 'resource' && this.#options.link?.isHome !== false) this.log(lost(part), 'warn')
  }

  record = (stream: string, entry: Readonly<Record<string, unknown>>): void => {
    this.#journal?.record(stream, entry)
    if (stream === 'metrics') {
      this.#checkpoints?.measure(entry)
      this.#observer?.metrics(entry)
    }
    this.#options.onEvent?.({ type: 'record', stream, entry })
  }

  log = (text: string, level: LogLevel = 'info', node?: string): void => {
    const message = hide(text, this.#plan.secrets)
    this.#journal?.log(message, level, node)
    this.#options.onEvent?.({ type: 'log', message, level, ...(node !== undefined && { node }) })
  }

  manifest = (key: string, value: unknown): void => {
    const other = otherFamily(this.#options.expected?.[key], value)
    if (other) this.fail(other)
    this.#journal?.state({ [key]: value })
  }

  resource(name: string, scope: string): unknown {
    return this.#resources.find(name, scope)
  }

  /** Wires and starts all nodes and waits until each has ended. */
  async #runNetwork(): Promise<void> {
    const network = new Network(this.#plan, this)
    const { nodes, edges } = network
    this.#network = network
    network.fill(edge => (this.#checkpoints ? this.#checkpoints.initialOf(edge) : edge.wire.initial))
    this.#checkpoints?.restoreTurns()
    network.wire(this, () => !this.#error)
    for (const { name } of nodes) if (!this.#error) await this.#restore('node')(name)
    this.#observer = observe({
      directory: this.#folder,
      ledger: this.ledger,
      nodes,
      edges,
      instruments: this.#instruments,
      workers: this.#options.link?.status?.bind(this.#options.link),
      secrets: this.#plan.secrets,
      fail: error => this.fail(error),
      paused: () => this.scheduler.paused,
      progress: () => this.expectations.state,
      onRequest: request => obey(request, { run: this, network, checkpoints: this.#checkpoints }),
      onStatus: status => this.#options.onEvent?.({ type: 'status', status }),
    })
    this.#stall.watch(nodes)
    for (const node of nodes) if (!this.#error) node.start()
    if (this.#error) network.cancel()
    if (this.#stopping.isAsked) this.stop()
    await network.allEnded(() => this.#error !== undefined, this.#options.abortSeconds)
    this.#observer.end()
  }

  /** No node works: takes a checkpoint, or ends a cycle, or reports that the run has stalled. */
  #quiet(): void {
    const { nodes, edges } = this.#network ?? { nodes: [], edges: [] }
    if (this.#error || nodes.every(node => !node.isRunning)) return
    if (this.#network?.shedPartnerless()) return
    if (this.#network?.letThrough()) return
    if (this.#checkpoints?.look()) return
    if (nodes.filter(node => node.closeFeedback()).length > 0) return
    this.#stall.look(nodes, edges)
  }

  #makeCheckpoints(from: string | undefined, past: RunState | undefined): Checkpoints | undefined {
    const { checkpoint } = this.#plan
    if (!checkpoint) return undefined
    const host = {
      directory: this.#folder,
      scheduler: this.scheduler,
      network: () => this.#network,
      counts: () => {
        const files = this.#journal?.sizes() ?? {}
        return { seed: this.seed, acknowledged: this.#acknowledged, ...this.ledger.skipState(), files }
      },
      log: this.log,
      fail: (error: unknown) => this.fail(error),
    }
    return new Checkpoints(checkpoint, host, from, past)
  }

  #summary(seconds: number): RunSummary {
    const error = this.#error
    const { live: leaked, peakLive: peakItems, peakBytes } = this.ledger
    return {
      status: statusOf(error, this.#stopping.isCut(this.#network, this.expectations)),
      ...(error && { error }),
      directory: this.#folder,
      seconds,
      acknowledged: this.#acknowledged,
      skipped: this.ledger.skipped,
      dropped: this.#network?.edges.reduce((sum, edge) => sum + edge.dropped, 0) ?? 0,
      leaked,
      peakItems,
      peakBytes,
    }
  }
}
