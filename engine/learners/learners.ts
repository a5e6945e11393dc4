// The learners of a run, as its process sees them: it divides each batch, and all of them work on it together.

import type { Context } from '../operator.ts'
import { seconds } from '../over/copies.ts'
import { encode } from '../over/message.ts'
import type { Together } from '../run/node/context.ts'
import { CodedError } from '../shared/errors.ts'
import { alone, type Team, type TeamWork } from '../team.ts'
import { divide } from './divide.ts'
import type { Member, MemberOptions } from './member.ts'
import type { FromLearner } from './messages.ts'
import { givenUp, Round } from './round.ts'
import type { SharedNumbers } from './shared-numbers.ts'
import { faultOf } from './stored-fault.ts'
import type { TeamNode } from './team-node.ts'
import { teamOf } from './team-of.ts'

export interface LearnersOptions {
  /** Of all learners, with this process. */
  readonly size: number
  readonly numbers: SharedNumbers
  readonly nodes: readonly TeamNode[]
  /** Starts another learner. */
  start(rank: number, on: Pick<MemberOptions, 'onMessage' | 'onLost'>): Member
  /** A learner is lost: the run must end. */
  fail(error: CodedError): void
}

export class Learners {
  readonly #options: LearnersOptions
  readonly #members: readonly Member[]
  readonly #losing: Promise<never>
  #round: Round | undefined
  #batches = 0
  /** Ends when no batch is worked on. */
  #free: Promise<unknown> = Promise.resolve()

  constructor(options: LearnersOptions) {
    this.#options = options
    let lose: (error: CodedError) => void = () => {}
    this.#losing = new Promise((_, reject) => {
      lose = reject
    })
    this.#losing.catch(() => {}) // the run is told of it
    this.#members = Array.from({ length: options.size - 1 }, (_, i) =>
      options.start(i + 1, {
        onMessage: message => this.#hear(i + 1, message),
        onLost: error => {
          lose(error)
          this.#round?.end(i + 1, error)
          options.fail(error)
        },
      }),
    )
  }

  readonly together: Together = (context, values, work) => {
    const node = this.#options.nodes.find(({ name }) => name === context.node)
    if (!node) return work(values, alone)
    const done = this.#free.then(() => this.#divided(node, context, values, work))
    this.#free = done.catch(() => {})
    return done
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(member => member.close()))
    this.#options.numbers.close()
  }

  async #divided<T, R>(
    { name, items, form, outgoing }: TeamNode,
    context: Context,
    values: readonly T[],
    work: TeamWork<T, R>,
  ): Promise<R> {
    await Promise.race([this.#losing, Promise.all(this.#members.map(({ ready }) => ready))])
    const { size, numbers } = this.#options
    const [own = [], ...others] = divide(values, items, size)
    const batch = ++this.#batches
    const round = new Round(batch, size, (meeting, values) =>
      this.#tell({ type: 'met', batch, meeting, values }),
    )
    this.#round = round
    const aborted = () => round.fail(new CodedError('aborted', 'the run was aborted'))
    context.signal.addEventListener('abort', aborted, { once: true })
    const ends: Promise<void>[] = []
    const spent = { given: '', summed: 0 }
    const begun = performance.now()
    try {
      const giving = this.#members.map(async (member, i) => {
        const values = others[i] ?? []
        const packed = await Promise.all(values.map(value => form.pack(outgoing(value), context)))
        ends.push(round.begin(i + 1))
        member.give(
          batch,
          name,
          packed.map(one => encode(one, { checksums: false })),
        )
        spent.given = seconds(begun)
      })
      for (const one of giving) one.catch(error => round.fail(error))
      const meet = (meeting: number, value: unknown) => round.give(0, meeting, value)
      const team = teamOf({ rank: 0, size, numbers, meet })
      const sum: Team['sum'] = async numbers => {
        const begun = performance.now()
        const sums = await team.sum(numbers)
        spent.summed += performance.now() - begun
        return sums
      }
      const result = await work(own, { ...team, sum })
      await Promise.all(giving)
      await Promise.race([this.#losing, Promise.all(ends)])
      // the weights may have changed in some of the processes: no policy about items can make that good
      if (round.error) throw new CodedError(round.error.code, round.error.message, { ofMachine: true })
      const sums = (spent.summed / 1000).toFixed(3)
      context.log(
        `batch ${batch}: ${seconds(begun)} s; shares were given after ${spent.given} s, sums took ${sums} s`,
        'debug',
      )
      return result
    } catch (error) {
      this.#tell({ type: 'given-up', batch })
      await Promise.race([this.#losing, Promise.all(ends)]).catch(() => {})
      throw round.error ?? error
    } finally {
      context.signal.removeEventListener('abort', aborted)
      this.#round = undefined
    }
  }

  #tell(message: Parameters<Member['tell']>[0]): void {
    for (const member of this.#members) member.tell(message)
  }

  #hear(rank: number, message: FromLearner): void {
    const round = this.#round
    if (!round || !('batch' in message) || message.batch !== round.batch) return
    if (message.type === 'gives') void round.give(rank, message.meeting, message.value)
    else if (message.type === 'ended') {
      const { fault } = message
      const name = this.#members[rank - 1]?.name ?? ''
      round.end(rank, fault && fault.code !== givenUp ? faultOf(name, fault) : undefined)
    }
  }
}
