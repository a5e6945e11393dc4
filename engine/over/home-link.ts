// The home part's side of the wire: it publishes items, and waits for what became of each. Truth is here and in the run's
// folder, never on the server: what the server loses is published again.
import { AckPolicy, type JsMsg, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { headers, type MsgHdrs } from '@nats-io/transport-node'
import { clock } from '../platform/clock.ts'
import { messageOf } from '../shared/errors.ts'
import { announcements } from './find-run.ts'
import { digestOf } from './message.ts'
import { doneOf, type Epoch, header, prefixOf, slugOf, streamOf, workOf } from './names.ts'
import type { Server } from './nats.ts'
import type { Pieces } from './pieces.ts'

const nanos = 1e9
/** A run that has said nothing for so long is lost. */
const lostMs = 600_000
const fetched = 64
const fetchMs = 2000
/** A server that does not answer for so long keeps what the run has left there: the next run there removes it. */
const farewellMs = 60_000
/** After this a word says what the process waits for. */
const patienceMs = 5000

interface Pending {
  readonly part: string
  readonly bytes: Uint8Array
  readonly resolve: (reply: Uint8Array) => void
  readonly reject: (error: unknown) => void
  attempt: number
  /** The digest under which a message that is too large is kept. */
  piece?: string
}

export interface HomeLink {
  /** Sends an item to a part and waits for the reply. The same id is worked on once, as long as its reply is awaited. */
  call(part: string, id: string, bytes: Uint8Array): Promise<Uint8Array>
  /** Items that wait for a reply. */
  readonly pending: number
  close(): Promise<void>
}

interface LinkOptions extends Epoch {
  readonly parts: readonly { name: string; credits: number }[]
  readonly leaseSeconds: number
  readonly signal: AbortSignal
  readonly log: (line: string) => void
  readonly fail: (error: unknown) => void
}

export async function openHomeLink(server: Server, pieces: Pieces, options: LinkOptions): Promise<HomeLink> {
  const link = new Link(server, pieces, options)
  await link.open()
  return link
}

class Link implements HomeLink {
  readonly #server: Server
  readonly #pieces: Pieces
  readonly #options: LinkOptions
  readonly #pending = new Map<string, Pending>()
  readonly #chunks = new Map<string, (Uint8Array | undefined)[]>()
  readonly #ending = clock.endOfMany()
  #watch: NodeJS.Timeout | undefined
  #arrivals = 0

  constructor(server: Server, pieces: Pieces, options: LinkOptions) {
    this.#server = server
    this.#pieces = pieces
    this.#options = options
  }

  get pending(): number {
    return this.#pending.size
  }

  async open(): Promise<void> {
    await this.#server.again(() => this.#forget(name => name !== streamOf(this.#options)))
    await this.#server.again(() => this.#forgetOthers())
    await this.#server.again(() => this.#prepare())
    void this.#receive().catch(error => {
      if (!this.#isOver) this.#options.fail(error)
    })
    const { leaseSeconds } = this.#options
    this.#watch = setInterval(() => void this.#look().catch(() => {}), leaseSeconds * 1000)
  }

  async call(part: string, id: string, bytes: Uint8Array): Promise<Uint8Array> {
    const reply = new Promise<Uint8Array>((resolve, reject) => {
      this.#pending.set(id, { part, bytes, resolve, reject, attempt: 0 })
    })
    reply.catch(() => {})
    await this.#publish(id)
    return reply
  }

  async close(): Promise<void> {
    this.#ending.abort()
    clearInterval(this.#watch)
    const { log } = this.#options
    const told = setTimeout(
      () => log('the run has ended; waiting for the server, to remove what the run has there'),
      patienceMs,
    )
    await this.#server
      .again(() => this.#forget(() => true), AbortSignal.timeout(farewellMs))
      .catch(() =>
        log(
          `stream ${streamOf(this.#options)} may stay on the server, which does not answer: the next run there removes it`,
        ),
      )
    clearTimeout(told)
  }

  get #isOver(): boolean {
    return this.#ending.signal.aborted || this.#options.signal.aborted
  }

  /** Removes streams of this run from the server, e.g. those of earlier starts: nobody waits for their replies. */
  async #forget(which: (name: string) => boolean): Promise<void> {
    const { manager } = this.#server
    for await (const name of manager.streams.names())
      if (name.startsWith(`FLOW_${this.#options.run}_`) && which(name)) await manager.streams.delete(name)
  }

  /** Removes what runs that have ended or were lost could not: a run that was only cut off sends its items again. */
  async #forgetOthers(): Promise<void> {
    const { manager } = this.#server
    const known = new Map(
      (await announcements(this.#server)).map(one => [one.announcement.run, one] as const),
    )
    for await (const { config, created } of manager.streams.list()) {
      const [, run = ''] = /^FLOW_([0-9a-f]{12})_/.exec(config.name) ?? []
      if (run === '' || run === this.#options.run) continue
      const told = known.get(run)
      const silentMs = told ? told.ageMs : Date.now() - Date.parse(created)
      if (told?.announcement.status === 'ended' || silentMs > lostMs)
        await manager.streams.delete(config.name)
    }
  }

  /** Makes the stream and its consumers unless they are there. Credits of a part are those of all its workers together. */
  async #prepare(): Promise<void> {
    const { manager } = this.#server
    const stream = streamOf(this.#options)
    const { parts, leaseSeconds } = this.#options
    const subjects = [`${prefixOf(this.#options)}.do.*`, doneOf(this.#options)]
    await unlessThere(
      manager.streams.add({
        name: stream,
        subjects,
        retention: RetentionPolicy.Workqueue,
        storage: StorageType.File,
        duplicate_window: 120 * nanos,
      }),
    )
    const common = { ack_policy: AckPolicy.Explicit, ack_wait: leaseSeconds * nanos }
    for (const { name, credits } of parts) {
      const about = {
        durable_name: slugOf(name),
        filter_subject: workOf(this.#options, name),
        max_ack_pending: credits,
      }
      await unlessThere(manager.consumers.add(stream, { ...common, ...about }))
    }
    await unlessThere(
      manager.consumers.add(stream, {
        ...common,
        durable_name: 'home',
        filter_subject: doneOf(this.#options),
        max_ack_pending: 4096,
      }),
    )
  }

  async #publish(id: string): Promise<void> {
    const pending = this.#pending.get(id)
    if (!pending) return
    const about = headers()
    about.set(header.id, id)
    let body = pending.bytes
    if (body.length > this.#server.mostBytes) {
      const piece = digestOf(body)
      pending.piece = piece
      this.#pieces.keep(piece, body)
      about.set(header.piece, `${piece} ${body.length}`)
      body = new Uint8Array()
    }
    const msgID = `${id}/${pending.attempt}`
    await this.#server.again(async () => {
      if (this.#pending.has(id))
        await this.#server.stream.publish(workOf(this.#options, pending.part), body, {
          msgID,
          headers: about,
        })
    })
  }

  async #receive(): Promise<void> {
    const stream = streamOf(this.#options)
    while (!this.#isOver) {
      try {
        const consumer = await this.#server.stream.consumers.get(stream, 'home')
        for await (const message of await consumer.fetch({ max_messages: fetched, expires: fetchMs })) {
          this.#arrivals++
          this.#take(message)
        }
      } catch (error) {
        if (this.#isOver) return
        this.#options.log(`waiting for the server: ${messageOf(error)}`)
        await this.#server.again(() => this.#prepare(), this.#ending.signal)
      }
    }
  }

  /** A reply comes in one or several messages; one that nobody waits for is a second one. */
  #take(message: JsMsg): void {
    const about = message.headers
    const id = about?.get(header.id) ?? ''
    const pending = this.#pending.get(id)
    const whole = pending && about ? this.#whole(id, about, message.data) : undefined
    // a home part that is lost with chunks in memory begins anew, so it needs none of them again
    message.ack()
    if (!pending || !whole) return
    this.#pending.delete(id)
    if (pending.piece !== undefined) this.#pieces.drop(pending.piece)
    pending.resolve(whole)
  }

  #whole(id: string, about: MsgHdrs, data: Uint8Array): Uint8Array | undefined {
    const [index = 0, count = 1] = about.get(header.chunk).split('/').map(Number)
    if (count === 1) return data
    const key = `${id} ${about.get(header.from)}`
    const chunks = this.#chunks.get(key) ?? Array.from({ length: count }, () => undefined)
    chunks[index] = Uint8Array.from(data)
    this.#chunks.set(key, chunks)
    const there = chunks.filter(chunk => chunk !== undefined)
    if (there.length < count) return undefined
    for (const other of [...this.#chunks.keys()]) if (other.startsWith(`${id} `)) this.#chunks.delete(other)
    return Buffer.concat(there)
  }

  #quietLooks = 0
  /** Publishes again what the server has lost: it holds nothing, nothing arrives, and yet items wait for replies. */
  async #look(): Promise<void> {
    const arrivals = this.#arrivals
    this.#arrivals = 0
    if (this.#pending.size === 0 || arrivals > 0 || !(await this.#isLost())) {
      this.#quietLooks = 0
      return
    }
    if (++this.#quietLooks < 2) return
    this.#quietLooks = 0
    this.#options.log(`the server has lost ${this.#pending.size} items: they are sent again`)
    await this.#server.again(() => this.#prepare(), this.#ending.signal)
    for (const [id, pending] of this.#pending) {
      pending.attempt++
      await this.#publish(id)
    }
  }

  async #isLost(): Promise<boolean> {
    const stream = streamOf(this.#options)
    try {
      const { state } = await this.#server.manager.streams.info(stream)
      return state.messages === 0
    } catch (error) {
      return /not found/i.test(messageOf(error))
    }
  }
}

async function unlessThere(made: Promise<unknown>): Promise<void> {
  await made.catch(error => {
    if (!/already|in use|exists/i.test(messageOf(error))) throw error
  })
}
