import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats } from '@nats-io/transport-node'
import type { Random } from '../../engine/run/random-graph.ts'
import { startFlow } from '../flow-process.ts'
import { type Cable, openCable } from './cable.ts'
import { beginning, type Job } from './jobs.ts'
import { freePort, startNats } from './nats-server.ts'

/** Runs a command under another host name: it takes the files of the home part for those of another machine. */
const elsewhere = ['unshare', '--uts', 'sh', '-c', 'hostname other-machine && exec "$@"', 'sh']

/** A server, a home part and its workers, each in a process of its own, with a network cable to each side of the server. */
export class Stage {
  readonly leaseSeconds = 2
  server!: ChildProcess
  homeCable!: Cable
  workersCable!: Cable
  home!: ChildProcess
  /** Exit code of the home part; undefined while it runs or is killed. */
  homeCode: number | undefined
  readonly #workers = new Set<ChildProcess>()
  readonly #folder: string
  readonly #job: Job
  #port = 0
  #count = 0

  constructor(job: Job, folder: string) {
    this.#job = job
    this.#folder = folder
  }

  async open(workers: number): Promise<void> {
    mkdirSync(this.#folder, { recursive: true })
    this.#port = await freePort()
    this.homeCable = await openCable(this.#port)
    this.workersCable = await openCable(this.#port)
    await this.startServer('empty')
    this.#startHome(beginning(this.#job, this.#folder))
    for (let i = 0; i < workers; i++) this.addWorker()
  }

  async startServer(disk: 'as it was' | 'empty'): Promise<void> {
    const store = join(this.#folder, 'nats')
    if (disk === 'empty') rmSync(store, { recursive: true, force: true })
    this.server = await startNats(this.#port, ['-js', '-sd', store])
  }

  resumeHome(): void {
    if (this.homeCode !== undefined) return
    const run = join(this.#folder, 'run')
    if (!this.#job.resumes) this.#startHome(beginning(this.#job, this.#folder, `run-${++this.#count}`))
    else if (existsSync(join(run, 'checkpoints/last'))) this.#startHome(['run', '--resume', run])
    else {
      rmSync(run, { recursive: true, force: true })
      this.#startHome(beginning(this.#job, this.#folder))
    }
  }

  #startHome(words: readonly string[]): void {
    const { child, ended } = startFlow(
      [...words, '--over', `nats://127.0.0.1:${this.homeCable.port}`],
      join(this.#folder, 'home.log'),
      [],
      { FLOW_LEASE_SECONDS: String(this.leaseSeconds) },
    )
    ended.catch(() => {})
    this.home = child
    child.once('exit', code => {
      if (code !== null) this.homeCode = code
    })
  }

  addWorker(): void {
    const name = `worker-${++this.#count}`
    const { child, ended } = startFlow(
      [
        'work',
        `nats://127.0.0.1:${this.workersCable.port}`,
        '--name',
        name,
        '--out',
        join(this.#folder, name),
      ],
      join(this.#folder, 'workers.log'),
      this.#count % 2 === 0 ? elsewhere : [],
    )
    ended.catch(() => {})
    this.#workers.add(child)
    child.once('exit', () => this.#workers.delete(child))
  }

  someWorker(random: Random): ChildProcess | undefined {
    const workers = [...this.#workers]
    return workers[Math.floor(random() * workers.length)]
  }

  /** What is left on the server, and processes that have not ended, once the home part has. */
  async leftOver(): Promise<string[]> {
    // those that were cut off when the run ended wait for the next one
    await delay(5000)
    for (const worker of this.#workers) worker.kill('SIGTERM')
    const until = performance.now() + 60_000
    while (this.#workers.size > 0 && performance.now() < until) await delay(100)
    const left = this.#workers.size > 0 ? [`${this.#workers.size} workers do not end`] : []
    const connection = await connectNats({ port: this.#port })
    const manager = await jetstreamManager(connection)
    for await (const stream of manager.streams.names())
      if (stream.startsWith('FLOW_')) left.push(`stream ${stream}`)
    await connection.close()
    return left
  }

  async close(): Promise<void> {
    for (const child of [...this.#workers, this.home, this.server])
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }
    this.homeCable.close()
    this.workersCable.close()
  }

  /** The end of what the home part and the workers said. */
  get said(): string {
    return ['home.log', 'workers.log']
      .map(name => readFileSync(join(this.#folder, name), 'utf8').trim().split('\n').slice(-6).join('\n'))
      .join('\n')
  }
}
