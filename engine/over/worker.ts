// A worker: it leases items of a part from the server, runs the nodes of the part on them, and sends back what came of each.
import { setTimeout as delay } from 'node:timers/promises'
import type { JsMsg } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { filter, share } from 'rxjs'
import type { Plan } from '../graph/plan.ts'
import type { Context, Durable, Item, Operator, Streams } from '../operator.ts'
import type { RunError } from '../run/error.ts'
import { leaseOf } from '../run/items/lease.ts'
import { Origin } from '../run/items/trace.ts'
import type { CheckpointPart } from '../run/node/context.ts'
import type { Pulled } from '../run/node/source.ts'
import type { LinkedRun, RunLink } from '../run/summary.ts'
import { isOfMachine } from '../shared/errors.ts'
import type { Unpacked } from '../wire-form.ts'
import { seconds } from './copies.ts'
import { type CutEnd, type CutPart, workerPlan } from './cut.ts'
import { Follower } from './follower.ts'
import { encode } from './message.ts'
import {
  type Announcement,
  doneOf,
  header,
  hostText,
  nearbyOf,
  type Order,
  slugOf,
  statusOf,
  streamOf,
  type WorkerStatus,
} from './names.ts'
import type { Server } from './nats.ts'
import { orderOf } from './order-of.ts'
import { encodeReply } from './packing.ts'
import { wireContext } from './remote.ts'
import { WorkerCall } from './worker-call.ts'

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
const politeMs = 50
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
  readonly #options: WorkerOptions
  readonly #durables = new Map<string, Durable>()
  readonly #follower: Follower
  /** Orders that it holds at the same time: those that are worked on, and one that is prepared. */
  readonly #most: number
  readonly #calls = new Set<WorkerCall>()
  readonly #status: NodeJS.Timeout
  #changed = () => {}
  #isOver = false
  #done = 0
  #version: unknown
  #run: LinkedRun | undefined

  constructor(options: WorkerOptions) {
    const { plan, part, server, announcement, folder, filesDirectory } = options
    this.#options = options
    this.whole = plan
    if (filesDirectory !== undefined) this.filesDirectory = filesDirectory
    this.#follower = new Follower(server, announcement, folder, this.#durables)
    const inside = plan.nodes.filter(({ name }) => part.nodes.has(name))
    this.#most = 1 + Math.max(...inside.map(({ operator, config }) => operator.atOnce?.(config) ?? 1))
    const receive: Operator['run'] = (_, __, context) => this.#receive(context)
    const reply: Operator['run'] = (inputs, _, context) => this.#reply(inputs, context)
    this.plan = workerPlan(plan, part, { receive, reply })
    this.#status = setInterval(() => this.#tell(), statusMs)
  }

  begin(run: LinkedRun): void {
    this.#run = run
    run.signal.addEventListener('abort', () => this.#changed(), { once: true })
  }

  durable({ kind, name }: CheckpointPart, state: Durable): void {
    if (kind === 'resource') this.#durables.set(name, state)
  }

  /** No more orders will come: what it holds is still worked on. */
  end(): void {
    this.#isOver = true
    this.#changed()
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
    const { inputs } = this.#options.part
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
    for (;;) {
      await this.#until(() => this.#calls.size < this.#most || this.#isOver)
      const message = await this.#next(context)
      if (!message) return
      const call = new WorkerCall(await orderOf(message, this.#options, context.signal), {
        message,
        leaseSeconds: this.#options.announcement.leaseSeconds,
        send: (order, reply) => this.#send(order, reply),
        over: one => {
          this.#calls.delete(one)
          this.#done++
          this.#changed()
        },
        worker: this.#options.name,
      })
      yield* this.#updates(call.order, context.signal)
      this.#calls.add(call)
      yield await this.#arrival(call, context)
    }
  }

  /** The next message of the part; undefined when the worker is to end. */
  async #next({ signal }: Context): Promise<JsMsg | undefined> {
    const { server, announcement, part } = this.#options
    while (!this.#isOver && !signal.aborted) {
      const message = await server
        .again(async () => {
          // the stream of an earlier start is gone: the session hears that from the announcement
          if (this.#isOver || signal.aborted) return null
          const consumer = await server.stream.consumers.get(streamOf(announcement), slugOf(part.name))
          if (this.#calls.size >= this.#most - 1 && (await consumer.info(true)).num_waiting > 0) {
            // what it would only prepare is for a worker that can begin at once
            await delay(politeMs)
            return null
          }
          return consumer.next({ expires: waitMs })
        })
        .catch(error => {
          if (this.#isOver || signal.aborted) return null
          throw error
        })
      if (message) return message
    }
    return undefined
  }

  /** Brings resources to the version of an order, once nothing works with the one before, and tells the nodes. */
  async *#updates({ latest }: Order, signal: AbortSignal): AsyncGenerator<Pulled<Arrived>> {
    const key = JSON.stringify(Object.values(latest).map(({ value }) => value))
    if (key === this.#version) return
    await this.#until(() => this.#calls.size === 0)
    for (const { version } of Object.values(latest)) {
      if (!version) continue
      const begun = performance.now()
      await this.#follower.apply(version, signal)
      this.#run?.log(`taking the version of ${version.folder} took ${seconds(begun)} s`, 'debug')
    }
    this.#version = key
    for (const [end, { value }] of Object.entries(latest))
      if (value !== undefined) yield { key: `version ${key}`, value: { end, unpacked: { value } } }
  }

  async #arrival(call: WorkerCall, context: Context): Promise<Pulled<Arrived>> {
    const { port: end, key, source } = call.order
    const input = this.#options.part.inputs.find(one => one.end === end)
    if (!input || !this.#run) throw new Error(`an order is for "${end}", which is no input of the part`)
    const unpacked = await input.form.unpack(call.packed, wireContext(input, this.#host(this.#run), context))
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
      const run = this.#run
      const [call] = leaseOf(item).traces.flatMap(trace =>
        trace instanceof Origin && trace.call instanceof WorkerCall ? [trace.call] : [],
      )
      if (!run || !call) throw new Error(`${output.end}: an item came of no order`)
      // its place among what came of the order is that of its arrival, not that of the end of its packing
      const outcome = { port: output.end, key: item.key, bytes: new Uint8Array() as Uint8Array }
      call.outcomes.push(outcome)
      outcome.bytes = encode(await output.form.pack(value, wireContext(output, this.#host(run), context)))
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

  #host({ resource }: LinkedRun) {
    const { filesDirectory } = this
    return { resource, ...(filesDirectory !== undefined && { nearby: nearbyOf(filesDirectory) }) }
  }

  /** Sends a reply in as many messages as it needs. */
  async #send(order: Order, reply: Parameters<typeof encodeReply>): Promise<void> {
    const { server, announcement, name } = this.#options
    const bytes = encodeReply(...reply)
    const count = Math.max(1, Math.ceil(bytes.length / server.mostBytes))
    for (let i = 0; i < count; i++) {
      const about = headers()
      about.set(header.id, order.id)
      about.set(header.from, name)
      about.set(header.chunk, `${i}/${count}`)
      const chunk = bytes.subarray(i * server.mostBytes, (i + 1) * server.mostBytes)
      await server.again(async () => {
        if (!this.#isLost) await server.stream.publish(doneOf(announcement), chunk, { headers: about })
      })
    }
  }

  #isLost = false

  /** The home part began anew or is over: nobody waits for replies. */
  lose(): void {
    this.#isLost = true
    this.end()
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#run?.signal.aborted) {
      await new Promise<void>(resolve => {
        this.#changed = resolve
      })
    }
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
      version: this.#version === undefined ? null : JSON.parse(String(this.#version)),
      ...(fault !== undefined && { fault }),
    }
    if (!server.connection.isClosed())
      server.connection.publish(statusOf(announcement), JSON.stringify(status))
  }
}
