// The home part of a graph over many processes: it announces itself, gives items to workers and makes copies of what changes.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Plan } from '../graph/plan.ts'
import type { Durable } from '../operator.ts'
import { RunError } from '../run/error.ts'
import type { CheckpointPart } from '../run/node/context.ts'
import type { WorkerState } from '../run/record/status.ts'
import type { LinkedRun, RunLink } from '../run/summary.ts'
import { inside } from '../shared/inside.ts'
import { readJsonObject } from '../shared/json.ts'
import { replaceFile } from '../shared/replace-file.ts'
import type { WireForm } from '../wire-form.ts'
import { Copies } from './copies.ts'
import { type CutPart, cutParts, homePlan } from './cut.ts'
import { announceMs, openBucket } from './find-run.ts'
import { type HomeLink, openHomeLink } from './home-link.ts'
import { type Announcement, hostText, nearbyOf, ownVersion, statusOf, type WorkerStatus } from './names.ts'
import { openServer, type Server } from './nats.ts'
import { Pieces } from './pieces.ts'
import { type RemoteHost, remoteRun } from './remote.ts'

/** What a server that answers at all needs less than. */
const silentMs = 2000

export interface HomeOptions {
  readonly address: string
  readonly directory: string
  readonly forms: Readonly<Record<string, WireForm>>
  /** What workers need to load the same graph. */
  readonly facts: Pick<Announcement, 'seed' | 'set' | 'parts' | 'plugins'>
  /** Digest of each model that a part opens. */
  digests(resources: ReadonlySet<string>): Promise<Readonly<Record<string, string>>>
  readonly leaseSeconds: number
  /** Where the credentials are stated. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  log(line: string): void
}

export interface Home {
  readonly plan: Plan
  readonly link: RunLink
  /** Ends the run with this error. */
  fail(error: unknown): void
  /** `ended`: workers need not wait for the run any more. */
  close(ended: boolean): Promise<void>
}

/** Connects to the server and cuts the plan. */
export async function openHome(plan: Plan, options: HomeOptions): Promise<Home> {
  const cuts = cutParts(plan, options.forms)
  const server = await openServer(options.address, options)
  const home = new HomePart(plan, cuts, server, options)
  await home.open()
  return home
}

class HomePart implements Home, RunLink {
  readonly plan: Plan
  readonly whole: Plan
  readonly isHome = true
  readonly #cuts: readonly CutPart[]
  readonly #server: Server
  readonly #options: HomeOptions
  readonly #epoch: { run: string; epoch: string }
  readonly #pieces = new Pieces()
  readonly #durables = new Map<CutPart, Map<string, Durable>>()
  readonly #workers = new Map<string, WorkerStatus & { at: number }>()
  #announcement: Announcement | undefined
  #announcing: NodeJS.Timeout | undefined
  #wire: HomeLink | undefined
  #run: LinkedRun | undefined
  /** Before the run had begun. */
  #failure: { readonly error: unknown } | undefined

  constructor(plan: Plan, cuts: readonly CutPart[], server: Server, options: HomeOptions) {
    this.whole = plan
    this.#cuts = cuts
    this.#server = server
    this.#options = options
    this.#epoch = { run: idOf(options.directory), epoch: Date.now().toString(36) }
    this.plan = homePlan(plan, cuts, cut => {
      const durables = new Map<string, Durable>()
      this.#durables.set(cut, durables)
      const folder = inside(join(resolve(options.directory), 'over'), cut.name.replaceAll('/', '-'))
      const log = (line: string) => this.#run?.log(line, 'debug')
      const copies = new Copies(folder, durables, this.#pieces, log)
      return { run: remoteRun(cut, () => this.#host(), copies), copier: copies }
    })
  }

  get link(): RunLink {
    return this
  }

  async open(): Promise<void> {
    const { plan } = this
    // an earlier start may have left values there
    await rm(this.#nearby, { recursive: true, force: true })
    const { facts, leaseSeconds, directory } = this.#options
    const resources = new Set(this.#cuts.flatMap(cut => [...cut.resources]))
    this.#announcement = {
      ...this.#epoch,
      ...facts,
      status: 'running',
      isStopping: false,
      started: Date.now(),
      version: ownVersion,
      graph: plan.file,
      sources: Object.fromEntries(plan.sources),
      names: this.#cuts.map(({ name }) => name),
      models: await this.#options.digests(resources),
      leaseSeconds,
      host: hostText(),
      directory: resolve(directory),
    }
    const { signal, log } = this.#options
    this.#wire = await openHomeLink(this.#server, this.#pieces, {
      ...this.#epoch,
      parts: this.#cuts,
      leaseSeconds,
      signal,
      log: line => (this.#run ? this.#run.log(line, 'warn') : log(line)),
      fail: error => this.#run?.fail(error),
    })
    this.#pieces.serve(this.#server, this.#epoch)
    this.#server.connection.subscribe(statusOf(this.#epoch), {
      callback: (_, message) => {
        const { fault, ...status } = message.json<WorkerStatus>()
        if (fault !== undefined)
          this.#run?.log(`worker ${status.worker}: ${fault}: its items go to the others`, 'warn')
        this.#workers.set(status.worker, { ...status, at: Date.now() })
      },
    })
    await this.#announce()
    this.#announcing = setInterval(() => void this.#announce().catch(() => {}), announceMs)
  }

  begin(run: LinkedRun): void {
    this.#run = run
    if (this.#failure) run.fail(this.#failure.error)
  }

  durable({ kind, name: resource }: CheckpointPart, state: Durable): void {
    if (kind === 'node') return
    for (const cut of this.#cuts) {
      if (!cut.resources.has(resource)) continue
      if (!cut.inputs.some(({ latest }) => latest)) {
        const rule = `part "${cut.name}" uses the resource "${resource}", which changes here, and no edge tells it of versions`
        const remedy =
          'connect the output that tells of a version with an input of the part, with "keep": "latest"'
        throw new RunError('operator-misused', rule, { remedy })
      }
      this.#durables.get(cut)?.set(resource, state)
    }
  }

  fail(error: unknown): void {
    this.#failure = { error }
    this.#run?.fail(error)
  }

  stop(): void {
    if (this.#announcement) this.#announcement = { ...this.#announcement, isStopping: true }
    void this.#announce().catch(() => {}) // it is announced again
  }

  status(): WorkerState[] {
    return [...this.#workers.values()].map(({ at, ...status }) => ({
      ...status,
      silent: (Date.now() - at) / 1000,
    }))
  }

  async close(ended: boolean): Promise<void> {
    clearInterval(this.#announcing)
    if (this.#announcement && ended) this.#announcement = { ...this.#announcement, status: 'ended' }
    // before the streams go: who misses them looks here for the reason
    const isTold = !ended || (await this.#isAnnounced())
    await this.#wire?.close()
    await rm(this.#nearby, { recursive: true, force: true })
    if (!isTold) await this.#isAnnounced()
    await this.#server.close()
  }

  /** Announces the run once more, unless the server is silent. */
  #isAnnounced(): Promise<boolean> {
    const announced = this.#announce().then(
      () => true,
      () => false,
    )
    return Promise.race([announced, delay(silentMs, false, { ref: false })])
  }

  async #announce(): Promise<void> {
    const announced = JSON.stringify(this.#announcement)
    const bucket = await openBucket(this.#server)
    await bucket.put(this.#epoch.run, announced)
  }

  get #nearby(): string {
    return nearbyOf(resolve(this.#options.directory))
  }

  #host(): RemoteHost {
    const [run, wire] = [this.#run, this.#wire]
    if (!run || !wire) throw new Error('the run must have begun')
    const { bury, resource } = run
    return { call: (...about) => wire.call(...about), bury, resource, nearby: this.#nearby }
  }
}

/** The name of a run among all runs of a server: the same when the run goes on. */
function idOf(directory: string): string {
  const path = join(directory, 'over.json')
  const kept = existsSync(path) ? readJsonObject(path).run : undefined
  if (typeof kept === 'string' && /^[0-9a-f]{12}$/.test(kept)) return kept
  const run = randomBytes(6).toString('hex')
  replaceFile(path, `${JSON.stringify({ run })}\n`)
  return run
}
