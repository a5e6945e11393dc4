// Another learner, as the process of the run sees it.
import type { ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { RunError } from '../run/error.ts'
import { type CodedError, messageOf } from '../shared/errors.ts'
import type { FromLearner, ToLearner } from './messages.ts'
import { writeAll } from './shared-numbers.ts'
import { faultOf } from './stored-fault.ts'

export interface MemberOptions {
  /** For messages, e.g. `learner 2 of 3`. */
  readonly name: string
  readonly child: ChildProcess
  /** The memory through which it gets values. */
  readonly memory: number
  /** Where its output is. */
  readonly log: string
  /** The run gives the learner up when it has sent no message for this many seconds. */
  readonly silentSeconds: number
  /** It told something. */
  onMessage(message: FromLearner): void
  /** It cannot go on. */
  onLost(error: CodedError): void
}

const lookMs = 1000
/** Before its first word it loads the program. */
const firstSeconds = 60
/** Time to close the GPU and to leave. */
const leaveMs = 10_000

export class Member {
  readonly name: string
  /** Ends when it has opened its resources. */
  readonly ready: Promise<void>
  readonly #options: MemberOptions
  readonly #gone: Promise<void>
  readonly #watch: NodeJS.Timeout
  #becomeReady = () => {}
  #isEnding = false
  #isLost = false
  #looks = 0
  #hasSpoken = false

  constructor(options: MemberOptions) {
    const { name, child } = options
    this.name = name
    this.#options = options
    this.ready = new Promise(done => {
      this.#becomeReady = done
    })
    this.#gone = new Promise(done => {
      child.once('error', error => {
        this.#lose(`could not be started: ${messageOf(error)}`)
        done()
      })
      child.once('exit', (code, signal) => {
        this.#lose(`ended (${signal ?? `exit code ${code}`})`)
        done()
      })
    })
    // this program wrote the other end of the same version
    child.on('message', message => this.#hear(message as FromLearner))
    // ticks of a process that was busy itself do not add up, as they would in a difference of times
    this.#watch = setInterval(() => this.#look(), lookMs)
  }

  tell(message: ToLearner): void {
    // who cannot be told is lost, which is heard of at its end
    this.#options.child.send(message, () => {})
  }

  /** Gives it its share of a batch. */
  give(batch: number, node: string, values: readonly Uint8Array[]): void {
    let end = 0
    for (const bytes of values) {
      writeAll(this.#options.memory, bytes, end)
      end += bytes.length
    }
    this.tell({ type: 'batch', batch, node, lengths: values.map(({ length }) => length) })
  }

  async close(): Promise<void> {
    this.#isEnding = true
    clearInterval(this.#watch)
    const { child, memory } = this.#options
    if (child.connected) this.tell({ type: 'end' })
    // a process that was stopped does not hear SIGTERM
    const late = setTimeout(() => child.kill('SIGKILL'), this.#isLost ? 0 : leaveMs)
    await this.#gone
    clearTimeout(late)
    closeSync(memory)
  }

  #hear(message: FromLearner): void {
    this.#looks = 0
    this.#hasSpoken = true
    if (message.type === 'ready') this.#becomeReady()
    if (message.type === 'failed') this.#fail(faultOf(this.name, message.fault))
    else this.#options.onMessage(message)
  }

  #look(): void {
    const { silentSeconds } = this.#options
    const seconds = this.#hasSpoken ? silentSeconds : Math.max(silentSeconds, firstSeconds)
    if (++this.#looks * lookMs >= seconds * 1000)
      this.#lose(`was silent for ${seconds} s (FLOW_LEARNER_SECONDS)`)
  }

  #lose(how: string): void {
    const { child, log } = this.#options
    const process = child.pid === undefined ? '' : ` (process ${child.pid})`
    const remedy = `${log} has its last words; --resume goes on from the last checkpoint`
    this.#fail(new RunError('learner-lost', `${this.name}${process} ${how}`, { ofMachine: true, remedy }))
  }

  #fail(error: CodedError): void {
    if (this.#isEnding || this.#isLost) return
    this.#isLost = true
    clearInterval(this.#watch)
    this.#options.onLost(error)
  }
}
