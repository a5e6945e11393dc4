// One of the other learners of a run, in a process of its own: it has the weights too, works on its share of each batch, and
// does the same updates.
import { ftruncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Plan } from '../graph/plan.ts'
import type { Context, Durable } from '../operator.ts'
import { seconds } from '../over/copies.ts'
import { decode } from '../over/message.ts'
import { nearbyOf } from '../over/names.ts'
import { folderOf } from '../run/checkpoint/checkpoint.ts'
import type { CheckpointPart } from '../run/node/context.ts'
import type { RunLink } from '../run/summary.ts'
import { Bell } from '../shared/bell.ts'
import { CodedError } from '../shared/errors.ts'
import type { TeamWork } from '../team.ts'
import type { Packed, WireForm } from '../wire-form.ts'
import { Arriving } from './arriving.ts'
import type { Beginning, FromLearner, ToLearner } from './messages.ts'
import { givenUp } from './round.ts'
import { mostSummed, readAll, SharedNumbers } from './shared-numbers.ts'
import { storedFault } from './stored-fault.ts'
import { learnerPlan, type TeamNode, teamNodes } from './team-node.ts'
import { teamOf } from './team-of.ts'

export interface LearnerOptions {
  readonly plan: Plan
  readonly forms: Readonly<Record<string, WireForm>>
  readonly beginning: Beginning
  /** The files of the sums, and of the values of this learner. */
  readonly sums: number
  readonly memory: number
  tell(message: FromLearner): void
}

type Order = Extract<ToLearner, { type: 'batch' }>
type Meet = { readonly resolve: (values: readonly unknown[]) => void; readonly reject: (e: Error) => void }

export class Learner implements RunLink {
  readonly whole: Plan
  readonly plan: Plan
  readonly isHome = false
  readonly filesDirectory: string
  readonly #options: LearnerOptions
  readonly #numbers: SharedNumbers
  readonly #durables = new Map<string, Durable>()
  readonly #orders: Order[] = []
  readonly #meetings = new Map<string, Meet>()
  readonly #bell = new Bell()
  #lastGivenUp = 0
  #isOver = false

  constructor(options: LearnerOptions) {
    const { plan, forms, beginning, sums } = options
    this.#options = options
    this.whole = plan
    this.filesDirectory = beginning.directory
    this.#numbers = new SharedNumbers(sums, beginning.size, mostSummed)
    const nodes = teamNodes(plan, forms)
    this.plan = learnerPlan(plan, ({ name, operator }) => {
      const node = nodes.find(one => one.name === name)
      return (_, config, context) => {
        const work = operator.team?.work(config, context)
        if (!node || !work) throw new Error(`"${name}" must be a node whose batches are divided`)
        return { done: context.source(() => this.#batches(node, work, context)) }
      }
    })
  }

  begin(): void {}

  durable(part: CheckpointPart, state: Durable): void {
    this.#durables.set(folderOf(part), state)
  }

  async restore(part: CheckpointPart): Promise<void> {
    const { from } = this.#options.beginning
    const folder = folderOf(part)
    if (from !== undefined) await this.#durables.get(folder)?.restore(join(from, folder))
  }

  hear(message: ToLearner): void {
    if (message.type === 'batch') this.#orders.push(message)
    else if (message.type === 'met')
      this.#meetings.get(`${message.batch}/${message.meeting}`)?.resolve(message.values)
    else if (message.type === 'given-up') this.#giveUp(message.batch)
    else if (message.type === 'end') this.end()
    this.#bell.ring()
  }

  /** No more batches will come. */
  end(): void {
    this.#isOver = true
    this.#giveUp(Number.POSITIVE_INFINITY)
  }

  #giveUp(batch: number): void {
    this.#lastGivenUp = batch
    for (const { reject } of this.#meetings.values()) reject(otherFailed())
  }

  /** Works on the batches of a node until there are no more. It emits nothing: their items belong to the home process. */
  async *#batches(
    node: TeamNode,
    work: TeamWork<unknown, unknown>,
    context: Context,
  ): AsyncGenerator<{ key: string; value: never }> {
    this.#options.tell({ type: 'ready' })
    const isOver = () => this.#isOver || context.signal.aborted
    const next = () => this.#orders.findIndex(order => order.node === node.name)
    for (;;) {
      await this.#bell.until(() => isOver() || next() >= 0)
      if (isOver()) return
      const [order] = this.#orders.splice(next(), 1)
      if (order) await this.#workOn(order, node, work, context)
    }
  }

  async #workOn(
    { batch, lengths }: Order,
    { form }: TeamNode,
    work: TeamWork<unknown, unknown>,
    context: Context,
  ): Promise<void> {
    const { beginning, tell, memory } = this.#options
    const { rank, size } = beginning
    const meet = (meeting: number, value: unknown) => this.#meet(batch, meeting, value)
    const packed: Packed[] = []
    const begun = performance.now()
    let share: Arriving | undefined
    try {
      let at = 0
      for (const length of lengths) {
        const bytes = new Uint8Array(length)
        readAll(memory, bytes, at)
        at += length
        packed.push(decode(bytes, { checksums: false }))
      }
      // it is read: the memory is free for others
      ftruncateSync(memory, 0)
      share = new Arriving(packed, form, {
        signal: context.signal,
        nearby: nearbyOf(beginning.directory),
        resource: name => context.resource(name),
        shared: (key, open, close) => context.shared(key, open, close),
      })
      await work(share, teamOf({ rank, size, numbers: this.#numbers, meet }))
      context.log(`batch ${batch}: took ${seconds(begun)} s`, 'debug')
      tell({ type: 'ended', batch })
    } catch (error) {
      tell({ type: 'ended', batch, fault: storedFault(error) })
    } finally {
      await share?.free()
    }
  }

  #meet(batch: number, meeting: number, value: unknown): Promise<readonly unknown[]> {
    const key = `${batch}/${meeting}`
    return new Promise<readonly unknown[]>((resolve, reject) => {
      if (batch <= this.#lastGivenUp) return reject(otherFailed())
      this.#meetings.set(key, { resolve, reject })
      this.#options.tell({ type: 'gives', batch, meeting, value })
    }).finally(() => this.#meetings.delete(key))
  }
}

const otherFailed = () => new CodedError(givenUp, 'another learner failed')
