import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EMPTY } from 'rxjs'
import type { Plan, PlannedNode } from '../graph/check.ts'
import { endName } from '../graph/flat.ts'
import { inScope } from '../graph/resources.ts'
import type { Durable, LogLevel, Progress } from '../operator.ts'
import { Checkpoints, type Part } from './checkpoint.ts'
import { type RunState, readState } from './checkpoint-folder.ts'
import { nodeContext, resourceContext, type Services } from './context.ts'
import type { Cursor } from './cursor.ts'
import { Edge } from './edge.ts'
import { messageOf, RunError } from './error.ts'
import { logEntries, openFiles, type RunFiles } from './files.ts'
import { Lease, Ledger, Origin } from './ledger.ts'
import { Lifetimes } from './lifetimes.ts'
import { describeRun } from './manifest.ts'
import { type NodeHost, RunningNode } from './node.ts'
import { type Observer, observe } from './observe.ts'
import { writeReport } from './report.ts'
import { Scheduler } from './scheduler.ts'
import { stallReason } from './stall.ts'
import { type EventFile, openEventFile } from './tensorboard.ts'

export interface RunOptions {
  seed: number
  /** Folder for the run's files; made when it is missing. */
  directory: string
  onEvent?: (event: RunEvent) => void
  /** Seconds without any event, while RxJS holds items that a timer might free, until the run counts as stalled. */
  stallSeconds?: number
  /** Seconds that work under way gets to end after an abort, before its items are freed under it. */
  abortSeconds?: number
  /** Folder of the checkpoint to go on from, with `seed` as it was; the run's files have been cut back to it. */
  from?: string
  /** Facts for the manifest beside the engine's own. */
  facts?: Readonly<Record<string, unknown>>
}

export type RunEvent =
  | { type: 'record'; stream: string; entry: Readonly<Record<string, unknown>> }
  | { type: 'log'; message: string }
  | { type: 'progress'; state: Progress }
  | { type: 'acknowledged'; key: string }

/** How a run ended. It never throws: an error is a value here. */
export interface RunSummary {
  /** `stopped`: the sources were stopped from outside, everything drained, and the state is in a checkpoint if the graph has any. */
  status: 'completed' | 'stopped' | 'failed' | 'aborted'
  error?: RunError
  directory: string
  seconds: number
  /** Source items of which every descendant was released without a failure. */
  acknowledged: number
  /** Items that failed and went to the dead letters. */
  skipped: number
  /** Items that full edges dropped. */
  dropped: number
  /** Values never freed; more than zero is an error of its own. */
  leaked: number
  peakItems: number
  peakBytes: number
}

/** A run under way. */
export interface Run {
  readonly done: Promise<RunSummary>
  /** Ends the sources; what is under way drains. */
  stop(): void
  /** Ends everything now and frees it. With an error the run failed, without one it was aborted. */
  abort(error?: unknown): void
}

const defaultStallSeconds = 60
const defaultAbortSeconds = 10

/** Starts a checked graph. */
export function startRun(plan: Plan, options: RunOptions): Run {
  const run = new GraphRun(plan, options)
  return { done: run.run(), stop: () => run.stop(), abort: error => run.abort(error) }
}

class GraphRun implements NodeHost, Services {
  readonly seed: number
  readonly directory: string
  readonly ledger: Ledger
  readonly scheduler = new Scheduler(() => this.#quiet())
  readonly lifetimes = new Lifetimes()
  readonly #plan: Plan
  readonly #options: RunOptions
  readonly #started = new Date()
  readonly #controller = new AbortController()
  readonly #opened = new Map<string, unknown>()
  readonly #facts: Record<string, unknown> = {}
  readonly #gauges = new Map<string, () => number>()
  #observer: Observer | undefined
  #events: EventFile | undefined
  #files: RunFiles | undefined
  #edges: Edge[] = []
  #nodes: RunningNode[] = []
  #steps = 0
  #stopped = false
  #error: RunError | undefined
  #acknowledged = 0
  #skipped = 0
  #finished: () => void = () => {}
  #stallTimer: NodeJS.Timeout | undefined
  #checkpoints: Checkpoints | undefined
  #saving: Promise<void> | undefined

  constructor(plan: Plan, options: RunOptions) {
    this.#plan = plan
    this.#options = options
    this.seed = options.seed
    this.directory = options.directory
    this.ledger = new Ledger(options.seed, error => {
      this.fail(new RunError('operator-failed', `disposing a value: ${messageOf(error)}`, { cause: error }))
    })
  }

  async run(): Promise<RunSummary> {
    const begin = performance.now()
    try {
      const { from, facts } = this.#options
      const past = from === undefined ? undefined : await readState(from)
      this.#files = openFiles(this.directory, Object.keys(past?.files ?? {}))
      this.#acknowledged = past?.acknowledged ?? 0
      this.#skipped = past?.skipped ?? 0
      this.#checkpoints = this.#makeCheckpoints(from, past)
      Object.assign(this.#facts, await describeRun(this.#plan, this.seed, this.#started), facts)
      this.#writeManifest()
      await this.#openResources()
      if (!this.#error) await this.#runNodes()
      if (!this.#error) await this.#checkpoints?.save()
    } catch (error) {
      this.fail(error)
    }
    await this.#saving
    for (const error of await this.lifetimes.closeAll()) this.fail(error)
    const leaked = this.ledger.live
    if (leaked > 0) this.fail(new RunError('leak', `${leaked} values were never freed`))
    clearTimeout(this.#stallTimer)
    const summary = this.#summary((performance.now() - begin) / 1000, leaked)
    try {
      const { error, ...facts } = summary
      Object.assign(this.#facts, {
        ...facts,
        ...(error && { error: { code: error.code, message: error.message } }),
      })
      this.#writeManifest()
      if (['metrics', 'samples'].some(name => existsSync(join(this.directory, `${name}.jsonl`))))
        await writeReport(this.directory)
    } catch (error) {
      this.fail(error)
    }
    this.#files?.close()
    this.#events?.close()
    return this.#error === summary.error ? summary : this.#summary(summary.seconds, leaked)
  }

  stop(): void {
    this.#stopped = true
    if (!this.#checkpoints) this.#stopSources()
    else if (!this.#saving) this.#checkpoints.stop()
    for (const node of this.#nodes) node.wake()
  }

  abort(error: unknown = new RunError('aborted', 'the run was aborted')): void {
    this.fail(error)
  }

  fail(error: unknown): void {
    const first = this.#error === undefined
    const fault =
      error instanceof RunError ? error : new RunError('operator-failed', messageOf(error), { cause: error })
    const stack = error instanceof Error && error.cause instanceof Error ? error.cause.stack : undefined
    this.#error ??= fault
    // a full disk may be the very error: then the log cannot take it, and the summary still has it
    this.#guard(() => this.#files?.append('log.txt', `${fault.message}${stack ? `\n${stack}` : ''}`))
    this.#guard(() => this.#files?.append(logEntries, entryOf(fault.message, 'error', fault.node)))
    if (!first) return
    this.#controller.abort()
    for (const edge of this.#edges) edge.cancel()
    for (const node of this.#nodes) node.abort()
    this.#finished()
  }

  ended(): void {
    this.#finished()
  }

  skipped(node: PlannedNode, item: Lease, error: unknown): void {
    this.#skipped++
    for (const trace of item.traces) if (trace instanceof Origin) trace.failed = true
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const letter = {
      node: node.name,
      operator: node.operatorName,
      key: item.key,
      seed: item.seed,
      code,
      error: messageOf(error),
    }
    this.#append('dead-letters.jsonl', JSON.stringify(letter))
    this.log(`${node.name}: skipped item "${item.key}": ${messageOf(error)}`, 'warn', node.name)
  }

  acknowledged(origin: Origin): void {
    if (origin.failed || this.#error) return
    this.#acknowledged++
    this.#options.onEvent?.({ type: 'acknowledged', key: origin.key })
  }

  cursor(node: string): Cursor | undefined {
    return this.#checkpoints?.cursor(node)
  }

  checkpoint(part: Part, state: Durable): void {
    this.#checkpoints?.register(part, state)
  }

  record = (stream: string, entry: Readonly<Record<string, unknown>>): void => {
    if (!/^[a-z][a-z0-9-]*$/.test(stream))
      throw new RunError('operator-misused', `no stream name: "${stream}"`)
    this.#append(`${stream}.jsonl`, JSON.stringify(entry))
    if (stream === 'metrics') {
      this.#checkpoints?.measure(entry)
      this.#measured(entry)
    }
    this.#options.onEvent?.({ type: 'record', stream, entry })
  }

  #measured(entry: Readonly<Record<string, unknown>>): void {
    this.#observer?.metrics(entry)
    this.#steps = typeof entry.step === 'number' ? entry.step : this.#steps + 1
    this.#guard(() => {
      this.#events ??= openEventFile(this.directory)
      this.#events.scalars(this.#steps, entry)
    })
  }

  gauge = (name: string, read: () => number): void => {
    this.#gauges.set(name, read)
  }

  log = (message: string, level: LogLevel = 'info', node?: string): void => {
    this.#append(logEntries, entryOf(message, level, node))
    this.#append('log.txt', message)
    this.#options.onEvent?.({ type: 'log', message })
  }

  progress = (state: Progress): void => {
    this.#options.onEvent?.({ type: 'progress', state })
  }

  manifest = (key: string, value: unknown): void => {
    this.#facts[key] = value
    this.#writeManifest()
  }

  resource(name: string, scope: string): unknown {
    const planned = inScope(name, scope, this.#plan.resources)
    if (planned && this.#opened.has(planned.name)) return this.#opened.get(planned.name)
    throw new RunError('operator-misused', `no resource "${name}": name it in a config field with "resource"`)
  }

  async #openResources(): Promise<void> {
    for (const { name, scope, resourceName, resource, config } of this.#plan.resources) {
      if (this.#error) return
      const part = { kind: 'resource', name } as const
      const context = resourceContext({ ...part, scope, signal: this.#controller.signal }, this)
      try {
        const value = await this.lifetimes.open(
          `resource "${name}"`,
          () => resource.open(config, context),
          value => resource.close(value),
        )
        this.#opened.set(name, value)
        await this.#checkpoints?.restore(part)
      } catch (error) {
        throw new RunError('resource-failed', `resource "${name}" (${resourceName}): ${messageOf(error)}`, {
          node: name,
          cause: error,
        })
      }
    }
  }

  /** Wires and starts all nodes and waits until each has ended. */
  async #runNodes(): Promise<void> {
    this.#edges = this.#plan.nodes.flatMap(node =>
      node.wires.map(wire => new Edge(`${endName(wire.from)} → ${node.name}.${wire.port}`, wire, node.name)),
    )
    const made = new Map(
      this.#plan.nodes.flatMap(node => node.wires).map((wire, i) => [wire, this.#edges[i]]),
    )
    const edgesOf = (wires: PlannedNode['wires']) => wires.flatMap(wire => made.get(wire) ?? [])
    this.#nodes = this.#plan.nodes.map(node => {
      const outgoing = this.#edges.filter(edge => edge.wire.from.node === node.name)
      return new RunningNode(node, edgesOf(node.wires), outgoing, this)
    })
    for (const edge of this.#edges) {
      const { from } = edge.wire
      const initial = this.#checkpoints ? this.#checkpoints.initialOf(edge) : edge.wire.initial
      if (initial) edge.put(Lease.root(this.ledger, initial.value, from.node, { key: 'initial' }, []))
    }
    for (const node of this.#nodes) {
      if (this.#error) break
      const { context, concurrency } = nodeContext(node, node.planned, this)
      node.wire(context, concurrency, EMPTY)
    }
    for (const { name } of this.#nodes) {
      if (!this.#error) await this.#checkpoints?.restore({ kind: 'node', name })
    }
    this.#observer = observe({
      directory: this.directory,
      ledger: this.ledger,
      nodes: this.#nodes,
      edges: this.#edges,
      gauges: this.#gauges,
      fail: error => this.fail(error),
    })
    for (const node of this.#nodes) if (!this.#error) node.start()
    if (this.#error) for (const node of this.#nodes) node.abort()
    if (this.#stopped) this.stop()
    await this.#allEnded()
    for (const edge of this.#edges) edge.cancel()
    this.#guard(() => this.#observer?.end())
  }

  async #allEnded(): Promise<void> {
    const waiting = () => this.#nodes.filter(node => node.state !== 'ended')
    let deadline: NodeJS.Timeout | undefined
    let late = false
    while (waiting().length > 0 && !late) {
      if (this.#error && !deadline) {
        deadline = setTimeout(
          () => {
            late = true
            this.#finished()
          },
          (this.#options.abortSeconds ?? defaultAbortSeconds) * 1000,
        )
      }
      await new Promise<void>(resolve => {
        this.#finished = resolve
      })
    }
    clearTimeout(deadline)
    for (const node of waiting()) {
      this.fail(
        new RunError('did-not-stop', `node "${node.name}" did not stop when the run ended`, {
          node: node.name,
        }),
      )
      node.releaseAll()
    }
  }

  /** Nothing is under way: either a cycle may be closed now, or the run waits for something that will not come. */
  #quiet(): void {
    if (this.#error || this.#nodes.every(node => node.state !== 'running')) return
    if (this.#checkpointDue()) return
    if (this.#nodes.filter(node => node.closeFeedback()).length > 0) return
    const reason = stallReason(this.#nodes, this.#edges)
    const stalled = () => this.fail(new RunError('stalled', `the run stalled: ${reason.text}`))
    if (reason.certain) {
      stalled()
      return
    }
    // RxJS may hold items until a timer of its own: give it time, and look again
    const { wakes } = this.scheduler
    clearTimeout(this.#stallTimer)
    this.#stallTimer = setTimeout(
      () => {
        if (this.scheduler.wakes === wakes) stalled()
      },
      (this.#options.stallSeconds ?? defaultStallSeconds) * 1000,
    )
  }

  #makeCheckpoints(from: string | undefined, past: RunState | undefined): Checkpoints | undefined {
    const { checkpoint } = this.#plan
    if (!checkpoint) return undefined
    const run = this
    const host = {
      directory: this.directory,
      get nodes() {
        return run.#nodes
      },
      get edges() {
        return run.#edges
      },
      counts: () => {
        const files = this.#files?.sizes() ?? {}
        return { seed: this.seed, acknowledged: this.#acknowledged, skipped: this.#skipped, files }
      },
      log: this.log,
    }
    return new Checkpoints(checkpoint, host, from, past)
  }

  /** Sources wait for a checkpoint: takes it, or lets items through that it needs; false when none waits. */
  #checkpointDue(): boolean {
    const due = this.#checkpoints?.due() ?? 'nothing'
    if (due === 'save') this.#saving ??= this.#save()
    if (due === 'more-items') for (const node of this.#nodes) node.wake()
    return due !== 'nothing'
  }

  async #save(): Promise<void> {
    this.scheduler.begin()
    try {
      await this.#checkpoints?.save()
    } catch (error) {
      this.fail(error)
    }
    this.#saving = undefined
    if (this.#stopped) this.#stopSources()
    else this.#checkpoints?.goOn()
    for (const node of this.#nodes) node.wake()
    this.scheduler.end()
  }

  #stopSources(): void {
    for (const node of this.#nodes) node.stop()
  }

  #append(name: string, line: string): void {
    this.#guard(() => this.#files?.append(name, line))
  }

  #writeManifest(): void {
    this.#files?.replace('manifest.json', `${JSON.stringify(this.#facts, null, 2)}\n`)
  }

  /** A fault of the disk is the run's error, never that of the item being worked on. */
  #guard(write: () => void): void {
    try {
      write()
    } catch (error) {
      if (!this.#error) this.fail(error)
    }
  }

  #summary(seconds: number, leaked: number): RunSummary {
    const error = this.#error
    return {
      status: error
        ? error.code === 'aborted'
          ? 'aborted'
          : 'failed'
        : this.#stopped
          ? 'stopped'
          : 'completed',
      ...(error && { error }),
      directory: this.directory,
      seconds,
      acknowledged: this.#acknowledged,
      skipped: this.#skipped,
      dropped: this.#edges.reduce((sum, edge) => sum + edge.dropped, 0),
      leaked,
      peakItems: this.ledger.peakLive,
      peakBytes: this.ledger.peakBytes,
    }
  }
}

/** A line of the structured log. */
const entryOf = (message: string, level: LogLevel, node?: string): string =>
  JSON.stringify({ time: new Date().toISOString(), level, ...(node !== undefined && { node }), message })
