import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../engine/run/random-graph.ts'
import { commandOf, SoakedFlow } from './soak-flow.ts'
import { type KillKind, kills } from './soak-kills.ts'
import { type Held, heldBy, processesWith } from './soak-processes.ts'
import type { Work } from './soak-work.ts'

/** A look at a process: what it held when so many updates or questions were done. */
export interface Look extends Held {
  done: number
  /** Which of the processes of a work it was, from 1. */
  process: number
}

/** What happened at one kill. */
export interface Struck {
  readonly kind: KillKind
  /** Updates or questions that were done. */
  readonly at: number
  /** How many of them had to be done again. */
  readonly again: number
  /** The run did not end by it. */
  readonly wentOn: boolean
  readonly fault: string | undefined
}

/** How long a run may take to notice a kill, on a busy machine. */
const deadlineMs = 180_000
/** Updates or questions that may be on their way when something is killed that has done its work already. */
const onTheWay = 100
const lookMs = 50

/**
 * Runs a work to its end. At `count` moments drawn at random something is killed, each kind as often; when flow ends by it,
 * it goes on by the command that it names itself.
 */
export class Soak {
  readonly work: Work
  /** Results, runs, the log, and a folder for temporary files. */
  readonly folder: string
  /** The folder of the run at hand. */
  run: string
  readonly looks: Look[] = []
  readonly struck: Struck[] = []
  readonly faults: string[] = []
  processes = 0
  seconds = 0
  readonly #random: Random
  readonly #kinds: KillKind[]
  /** Most updates or questions between two kills. */
  readonly #stretch: number
  readonly #mark = randomUUID()

  constructor(work: Work, folder: string, count: number, random: Random) {
    this.work = work
    this.folder = folder
    this.run = join(folder, 'run-1')
    this.#random = random
    this.#kinds = shuffled(work.kills, count, random)
    this.#stretch = (2 * work.total) / (count + 1)
    mkdirSync(this.#temporary, { recursive: true })
  }

  /** What flow has left in the folder for temporary files. */
  get left(): string[] {
    return readdirSync(this.#temporary)
  }

  async toTheEnd(): Promise<void> {
    const began = performance.now()
    let words = this.work.start(this.folder, this.run)
    while (words) {
      this.processes++
      const environment = { FLOW_SOAK: this.#mark, TMPDIR: this.#temporary }
      const flow = new SoakedFlow(words, this.#log, environment)
      const isDone = await this.#follow(flow)
      await this.#refuseLeftovers()
      if (isDone) break
      if (this.processes > 3 * (this.struck.length + 3)) {
        this.faults.push('does not come to its end')
        break
      }
      words = await this.#next(words)
    }
    this.seconds = (performance.now() - began) / 1000
  }

  /** Strikes a process until it has ended; true when it has completed the work. */
  async #follow(flow: SoakedFlow): Promise<boolean> {
    while (!flow.isOver) {
      const kind = this.#kinds.at(-1)
      if (!kind) {
        await this.#until(flow, () => false)
        break
      }
      if (!(await this.#isMoment(flow, kind))) break
      const at = this.#done()
      if (!(await kills[kind].strike(flow.pid, this.#random))) continue
      this.#kinds.pop()
      if (await this.#hasEnded(flow, kind, at)) return false
    }
    const { code, signal, said } = await flow.end
    if (code !== 0)
      this.faults.push(`at ${this.#done()}: ended by itself (${signal ?? code}): ${said.slice(-400)}`)
    return code === 0
  }

  /** Waits for the next moment of a kill; false when the process ends before. Some kills come while it starts. */
  async #isMoment(flow: SoakedFlow, kind: KillKind): Promise<boolean> {
    const random = this.#random
    const begin = this.#done()
    if (kind === 'SIGKILL' && random() < 0.25) await delay(random() * 2000)
    else {
      const target = begin + 1 + Math.floor(random() * this.#stretch)
      await this.#until(
        flow,
        () => this.#done() >= Math.min(target, this.work.total - 1) && this.#done() > begin,
      )
      await delay(random() * 50)
    }
    return !flow.isOver
  }

  /** Waits for what a kill does; true when the run has ended by it, false when it goes on. */
  async #hasEnded(flow: SoakedFlow, kind: KillKind, at: number): Promise<boolean> {
    const { goesOn, fault } = kills[kind]
    const goal = Math.min(this.work.total, at + onTheWay)
    const until = performance.now() + deadlineMs
    await this.#until(
      flow,
      () =>
        performance.now() > until || (goesOn !== 'never' && this.#done() >= goal && goal < this.work.total),
    )
    const isHung = performance.now() > until
    if (!flow.isOver && !isHung) {
      this.struck.push({ kind, at, again: 0, wentOn: true, fault: undefined })
      return false
    }
    if (isHung) flow.kill()
    const end = await flow.end
    const wentOn = end.code === 0 && goesOn !== 'never'
    const wrong = isHung ? `took no notice for ${deadlineMs / 1000} s` : wentOn ? undefined : fault(end)
    const again = this.#done() - this.work.kept(this.folder, this.run)
    this.struck.push({ kind, at, again, wentOn, fault: wrong })
    return !wentOn
  }

  /** Looks at a process until it ends or a condition holds. */
  async #until(flow: SoakedFlow, holds: () => boolean): Promise<void> {
    for (let looks = 0; !flow.isOver && !holds(); looks++) {
      const held = looks % 2 === 0 && heldBy(flow.pid, this.run)
      if (held) this.looks.push({ ...held, done: this.#done(), process: this.processes })
      await delay(lookMs)
    }
  }

  /** The command that goes on. */
  async #next(words: string[]): Promise<string[]> {
    if (this.work.name === 'evaluation') {
      this.run = join(this.folder, `run-${this.processes + 1}`)
      return this.work.start(this.folder, this.run)
    }
    // it was killed before it had a folder
    if (!existsSync(join(this.run, 'manifest.json'))) return words
    const found = await commandOf(this.run, this.#log)
    if (!found) this.faults.push(`at ${this.#done()}: flow show names no command to go on with`)
    return found ?? ['run', '--resume', this.run]
  }

  /** Everything that flow has started ends with it, at most a moment later. */
  async #refuseLeftovers(): Promise<void> {
    const until = performance.now() + 20_000
    let found = processesWith(this.#mark)
    for (; found.length > 0 && performance.now() < until; found = processesWith(this.#mark)) await delay(50)
    for (const process of found) this.faults.push(`at ${this.#done()}: left behind: process ${process}`)
  }

  #done(): number {
    return this.work.done(this.folder, this.run)
  }

  get #temporary(): string {
    return join(this.folder, 'temporary')
  }

  get #log(): string {
    return join(this.folder, 'log')
  }
}

/** Kinds in an order drawn at random, each as often as the others. */
function shuffled(kinds: readonly KillKind[], count: number, random: Random): KillKind[] {
  const drawn = Array.from({ length: count }, (_, i) => ({ kind: kinds[i % kinds.length], order: random() }))
  return drawn.sort((a, b) => a.order - b.order).flatMap(({ kind }) => kind ?? [])
}
