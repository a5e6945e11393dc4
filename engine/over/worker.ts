// A worker: it leases items of a part from the server, runs the nodes of the part on them, and sends back what came of each.
import type { JsMsg } from '@nats-io/jetstream'
import { filter, share } from 'rxjs'
import type { Plan } from '../graph/plan.ts'
import type { Context, Durable, Item, Streams } from '../operator.ts'
import type { RunError } from '../run/error.ts'
import type { CheckpointPart } from '../run/node/context.ts'
import type { Pulled } from '../run/node/source.ts'
import type { LinkedRun, RunLink } from '../run/summary.ts'
import { Bell } from '../shared/bell.ts'
import { isOfMachine } from '../shared/errors.ts'
import type { Unpacked, WireContext } from '../wire-form.ts'
import { seconds } from './copies.ts'
import type { CutEnd, CutPart } from './cut.ts'
import { Follower } from './follower.ts'
import { Manners } from './manners.ts'
import { encode } from './message.ts'
import {
  type Announcement,
  doneOf,
  hostText,
  nearbyOf,
  type Order,
  slugOf,
  statusOf,
  streamOf,
  type Version,
  type WorkerStatus,
} from './names.ts'
import type { Server } from './nats.ts'
import { orderOf } from './order-of.ts'
import { encodeReply, replyMessages } from './packing.ts'
import { wireContext } from './remote.ts'
import { VersionGate } from './version-gate.ts'
import { whileItRuns } from './while-it-runs.ts'
import { callOf, WorkerCall } from './worker-call.ts'
import { workerPlan } from './worker-plan.ts'

export interface WorkerOptions {
  readonly server: Server
  readonly announcement: Announcement
  readonly part: CutPart
  /** Its name among the workers of the run. */
  readonly name: string
  /** What the home part says of its GPU, for messages; '' for nothing. */
  readonly seat: string
  /** A folder for versions that it has pulled. */
  readonly folder: string
  readonly plan: Plan
  /** The folder of the home part, where this process sees it. */
  readonly filesDirectory?: string
}

const waitMs = 1000
const statusMs = 1000
/** Workers whose machine may fail on an item before it ends the run. */
const mostTries = 3

/** What arrived for an input of the part. */
interface Arrived {
  readonly end: string
  readonly unpacked: Unpacked<unknown>
}

/** One worker in one start of a run. */
export class Worker implements RunLink {
  readonly whole: Plan
  readonly plan: Plan
  readonly isHome = false
  readonly filesDirectory?: string
  isStopping: boolean
  readonly #options: WorkerOptions
  readonly #durables = new Map<string, Durable>()
  readonly #follower: Follower
  /** Orders that it works on at the same time. */
  readonly #together: number
  /** Orders that it holds: those that are worked on, and those that are prepared for the next version, or a next one. */
  readonly #most: number
  readonly #calls = new Set<WorkerCall>()
  readonly #gate: VersionGate
  readonly #manners: Manners
  readonly #bell = new Bell()
  readonly #status: NodeJS.Timeout
  #isOver = false
  /** Orders may still come. */
  #isReceiving = true
  #done = 0
  #run: LinkedRun | undefined

  constructor(options: WorkerOptions) {
    const { plan, part, server, announcement, folder, filesDirectory } = options
    this.#options = options
    this.isStopping = announcement.isStopping
    this.whole = plan
    if (filesDirectory !== undefined) this.filesDirectory = filesDirectory
    this.#follower = new Follower(server, announcement, folder, this.#durables)
    const inside = plan.nodes.filter(({ name }) => part.nodes.has(name))
    this.#together = Math.max(...inside.map(({ operator, config }) => operator.atOnce?.(config) ?? 1))
    this.#most = part.gate ? 2 * this.#together : this.#together + 1
    this.#manners = new Manners(this.#together)
    this.#gate = new VersionGate({
      inputs: part.inputs.filter(({ latest }) => latest),
      waiting: this.#together,
      apply: (version, signal) => this.#take(version, signal),
      begin: (value, context) => part.gate?.form.begin?.(value, this.#wire(part.gate, context)),
      isOver: () => !this.#isReceiving && this.#calls.size === 0,
      bell: this.#bell,
    })
    this.plan = workerPlan(plan, part, this.#together, {
      receive: (_, __, context) => this.#receive(context),
      versions: (_, __, context) => this.#gate.versions(context),
      gate: ({ items }, _, context) => (items ? this.#gate.holdBack(items, context) : {}),
      reply: (inputs, _, context) => this.#reply(inputs, context),
    })
    this.#status = setInterval(() => this.#tell(), statusMs)
  }

  begin(run: LinkedRun): void {
    this.#run = run
    run.signal.addEventListener('abort', () => this.#bell.ring(), { once: true })
  }

  durable({ kind, name }: CheckpointPart, state: Durable): void {
    if (kind === 'resource') this.#durables.set(name, state)
  }

  /** No more orders will come: what it holds is still worked on. */
  end(): void {
    this.#isOver = true
    this.#bell.ring()
  }

  /** Waits until all replies are with the server. An error of an item goes to the home part, which ends the run. */
  async close(error: RunError | undefined): Promise<void> {
    this.end()
    clearInterval(this.#status)
    if (error && isOfMachine(error)) this.#tell(`${this.#options.seat}${error.message}`)
    const ofItem = error && ['operator-failed', 'operator-misused', 'never-settled'].includes(error.code)
    for (const call of this.#calls) {
      // e.g. a lost GPU: another one does the item, unless several have failed on it
      const elsewhere = isOfMachine(error) && call.tries < mostTries
      if (error && ofItem && !elsewhere && (error.key === undefined || call.order.key === error.key))
        call.fail(error)
      else if (error || !call.isSettled) call.giveBack()
    }
    await Promise.allSettled([...this.#calls].map(call => call.sent))
  }

  #receive(context: Context): Streams {
    const inputs = this.#options.part.inputs.filter(({ latest }) => !latest)
    const all = context.source(() => this.#arrivals(context)).pipe(share())
    const outputs = inputs.map(({ end }) => [
      end,
      all.pipe(
        filter(({ value }: Item<Arrived>) => value.end === end),
        context.each(({ unpacked: { value, bytes = 0 } }: Arrived) => context.emit(value, { bytes })),
      ),
    ])
    return Object.fromEntries(outputs)
  }

  async *#arrivals(context: Context): AsyncGenerator<Pulled<Arrived>> {
    const { part, announcement, name } = this.#options
    try {
      for (;;) {
        await this.#until(() => this.#calls.size < this.#most || this.#isOver)
        const message = await this.#next(context)
        if (!message) return
        const call = new WorkerCall(await orderOf(message, this.#options, context.signal), {
          message,
          leaseSeconds: announcement.leaseSeconds,
          send: (order, reply) => this.#send(order, reply),
          settled: one => this.#gate.leave(one),
          over: one => this.#over(one),
          worker: name,
        })
        this.#calls.add(call)
        this.#manners.holds(this.#calls.size)
        if (!part.gate) await this.#gate.pass(call, context.signal)
        yield await this.#arrival(call, context)
      }
    } finally {
      this.#isReceiving = false
      this.#bell.ring()
    }
  }

  #over(call: WorkerCall): void {
    this.#run?.log(call.way, 'debug')
    this.#calls.delete(call)
    this.#manners.took(call.milliseconds)
    this.#manners.holds(this.#calls.size)
    this.#done++
    this.#bell.ring()
  }

  /** The next message of the part; undefined when the worker is to end. */
  async #next({ signal }: Context): Promise<JsMsg | undefined> {
    const { server, announcement, part } = this.#options
    while (!this.#isOver && !signal.aborted) {
      const message = await whileItRuns(server, announcement, async () => {
        if (this.#isOver || signal.aborted) return null
        const consumer = await server.stream.consumers.get(streamOf(announcement), slugOf(part.name))
        const asking = async () => (await consumer.info(true)).num_waiting
        return (await this.#manners.mayTake(asking)) ? consumer.next({ expires: waitMs }) : null
      }).catch(error => {
        if (this.#isOver || signal.aborted) return null
        throw error
      })
      if (message !== null) return message
    }
    return undefined
  }

  async #take(version: Version, signal: AbortSignal): Promise<void> {
    const begun = performance.now()
    await this.#follower.apply(version, signal)
    this.#run?.log(`taking the version of ${version.folder} took ${seconds(begun)} s`, 'debug')
  }

  async #arrival(call: WorkerCall, context: Context): Promise<Pulled<Arrived>> {
    const { port: end, key, source } = call.order
    const input = this.#options.part.inputs.find(one => one.end === end)
    if (!input) throw new Error(`an order is for "${end}", which is no input of the part`)
    const unpacked = await input.form.unpack(call.packed, this.#wire(input, context))
    return {
      key,
      source,
      call,
      value: { end, unpacked },
      ...(unpacked.dispose && { dispose: unpacked.dispose }),
    }
  }

  #reply(inputs: Streams, context: Context): Streams {
    const pack = async (output: CutEnd, value: unknown, item: Item) => {
      const call = callOf(item)
      // its place among what came of the order is that of its arrival, not that of the end of its packing
      const outcome = { port: output.end, key: item.key, bytes: new Uint8Array() as Uint8Array }
      call.outcomes.push(outcome)
      outcome.bytes = encode(await output.form.pack(value, this.#wire(output, context)))
      return undefined
    }
    const streams = this.#options.part.outputs.map(output => [
      output.end,
      inputs[output.end]?.pipe(
        context.each((value: unknown, item: Item) => pack(output, value, item), {
          concurrency: this.#most,
        }),
      ),
    ])
    return Object.fromEntries(streams)
  }

  /** What the form of an end may use here. */
  #wire(end: Pick<CutEnd, 'scope'>, context: Context): WireContext {
    if (!this.#run) throw new Error('the run must have begun')
    const { resource } = this.#run
    const { filesDirectory: files } = this
    const host = { resource, ...(files !== undefined && { nearby: nearbyOf(files) }) }
    return wireContext(end, host, context)
  }

  /** Sends a reply in as many messages as it needs. */
  async #send(order: Order, reply: Parameters<typeof encodeReply>): Promise<void> {
    const { server, announcement, name } = this.#options
    for (const { body, about } of replyMessages(order.id, name, encodeReply(...reply), server.mostBytes))
      await whileItRuns(server, announcement, async () => {
        if (!this.#isLost) await server.stream.publish(doneOf(announcement), body, { headers: about })
      })
  }

  #isLost = false

  /** The home part began anew or is over: nobody waits for replies. */
  lose(): void {
    this.#isLost = true
    this.end()
  }

  async #until(isSo: () => boolean): Promise<void> {
    await this.#bell.until(() => isSo() || this.#run?.signal.aborted === true)
  }

  #tell(fault?: string): void {
    const { server, announcement, part, name } = this.#options
    const status: WorkerStatus = {
      worker: name,
      part: part.name,
      process: process.pid,
      host: hostText().split(' ')[0] ?? '',
      leases: this.#calls.size,
      done: this.#done,
      version: JSON.parse(this.#gate.version ?? 'null'),
      ...(fault !== undefined && { fault }),
    }
    if (!server.connection.isClosed())
      server.connection.publish(statusOf(announcement), JSON.stringify(status))
  }
}
