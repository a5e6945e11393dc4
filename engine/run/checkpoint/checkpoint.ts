// Checkpoints are taken when nothing is in flight. Each source gives `every` items and then waits; when all of them
// and all that descends from them have been released, every queue is empty, every operator idle, and what a resumed
// run needs is small: how far each source came, the value at the end of each feedback edge, the length of each file,
// and the state that resources and operators registered with `Context.checkpoint`. That is why the cadence belongs to
// the graph and not to an operator: only the engine knows such a moment. An operator that holds items back until more
// come, e.g. for a batch, gets them one by one until nothing is held. So the places of the checkpoints depend on the
// items alone, never on timing, and a run that was stopped goes through the same states as one that was not.
// The price is that the work ahead of the slowest node starts anew after each checkpoint.

import type { Cadence } from '../../graph/flatten/flat.ts'
import type { Durable } from '../../operator.ts'
import { join } from '../../platform/paths.ts'
import { codeOf, messageOf } from '../../shared/errors.ts'
import { makeFolder } from '../../shared/files.ts'
import { isJson } from '../../shared/json.ts'
import { RunError } from '../error.ts'
import type { CheckpointPart } from '../node/context.ts'
import { Cursor } from '../node/cursor.ts'
import type { Edge } from '../node/edge.ts'
import type { Input } from '../node/input.ts'
import type { Network } from '../node/network.ts'
import type { Scheduler } from '../node/scheduler.ts'
import { settles } from '../settles.ts'
import { checkpointNameOf, type RunState, writeCheckpoint } from './folder.ts'

/** The run, as its checkpoints see it. */
export interface CheckpointHost {
  readonly directory: string
  readonly scheduler: Scheduler
  /** Undefined before the nodes exist. */
  network(): Network | undefined
  /** The part of the state that the run itself counts. */
  counts(): Pick<RunState, 'seed' | 'acknowledged' | 'skipped' | 'skips' | 'files'>
  log(message: string): void
  fail(error: unknown): void
}

/** What a run says of a part with state whose graph keeps none. */
export const lost = ({ name }: CheckpointPart): string =>
  `${name}: the graph has no "checkpoint", so what it learns is lost at the end; "checkpoint": { "every": 0 } keeps it`

/** Decides when sources wait, and writes the checkpoints of a run. */
export class Checkpoints {
  readonly #cadence: Cadence
  readonly #host: CheckpointHost
  readonly #past: RunState | undefined
  readonly #folder: string | undefined
  readonly #cursors: Cursor[] = []
  readonly #durables = new Map<string, Durable>()
  #saved: string | undefined
  #best: RunState['best']
  #metric = { sum: 0, count: 0 }
  #stopping = false
  #saving: Promise<void> | undefined
  #extra = 0
  /** The run was paused when a checkpoint was asked for, which needs what is in work to end. */
  #pausesAfter = false

  /** `past` is the state in `folder`, of the checkpoint that the run goes on from. */
  constructor(cadence: Cadence, host: CheckpointHost, folder?: string, past?: RunState) {
    this.#cadence = cadence
    this.#host = host
    this.#folder = folder
    this.#past = past
    this.#best = past?.best
    this.#saved = past && checkpointNameOf(past.acknowledged)
  }

  /** Follows one more source of a node. */
  cursor(node: string): Cursor {
    const number = this.#cursors.filter(({ name }) => name.split('#')[0] === node).length
    const name = number === 0 ? node : `${node}#${number}`
    const cursor = new Cursor(name, this.#stopping ? 0 : this.#round, this.#past?.cursors[name])
    this.#cursors.push(cursor)
    return cursor
  }

  register(part: CheckpointPart, durable: Durable): void {
    const folder = folderOf(part)
    if (this.#durables.has(folder))
      throw new RunError('operator-misused', `"${part.name}" must register its state for checkpoints once`)
    this.#durables.set(folder, durable)
  }

  /** Brings what a part registered to its state at the checkpoint that the run goes on from. */
  async restore(part: CheckpointPart): Promise<void> {
    const durable = this.#durables.get(folderOf(part))
    if (!durable || this.#folder === undefined) return
    const folder = join(this.#folder, folderOf(part))
    try {
      await settles(`restoring ${part.kind} "${part.name}"`, durable.restore(folder))
    } catch (error) {
      if (codeOf(error) !== undefined) throw error
      const message = `${folder}: must hold the state of ${part.kind} "${part.name}": ${messageOf(error)}`
      throw new RunError('checkpoint-mismatch', message, { cause: error })
    }
  }

  /** The value that a feedback edge starts with, or nothing when it starts empty. */
  initialOf({ wire, name, latest }: Edge): { value: unknown } | undefined {
    if (!this.#past || (latest && !(name in this.#past.edges))) return wire.initial
    return latest ? { value: this.#past.edges[name] } : undefined
  }

  /** Lets edges that lead into one input go on taking turns where they were. */
  restoreTurns(): void {
    for (const [end, input] of this.#fanIns()) input.turn = this.#past?.turns?.[end] ?? 0
  }

  /** Takes the metric that decides which checkpoint is the best. */
  measure(entry: Readonly<Record<string, unknown>>): void {
    const value = this.#cadence.best === '' ? undefined : entry[this.#cadence.best]
    if (typeof value !== 'number' || !Number.isFinite(value)) return
    this.#metric.sum += value
    this.#metric.count++
  }

  /** From now on sources wait: the next moment with nothing in flight is the last one. */
  stop(): void {
    this.#stopping = true
    // the sources end with the checkpoint that is being written
    if (this.#saving) return
    for (const cursor of this.#cursors) cursor.allowance = 0
  }

  /** Sources wait until a checkpoint is written, then go on, unless the run was paused. */
  ask(): void {
    const { scheduler } = this.#host
    this.#pausesAfter ||= scheduler.paused
    scheduler.continue()
    if (this.#saving) return
    for (const cursor of this.#cursors) cursor.allowance = 0
  }

  /** A run that was paused before its checkpoint goes on after it. */
  goOn(): void {
    this.#pausesAfter = false
  }

  /** The checkpoint that is being written while sources wait. */
  get saving(): Promise<void> | undefined {
    return this.#saving
  }

  /** Called when nothing moves: takes a checkpoint, or lets items through that it needs; false when no source waits. */
  look(): boolean {
    const due = this.#due()
    if (due === 'save') this.#saving ??= this.#saveAndGoOn()
    if (due === 'more-items') this.#host.network()?.wake()
    return due !== 'nothing'
  }

  #due(): 'nothing' | 'more-items' | 'save' {
    const waiting = this.#cursors.filter(cursor => !cursor.ended && cursor.allowance <= 0)
    if (waiting.length === 0) return 'nothing'
    const { nodes, edges } = this.#host.network() ?? { nodes: [], edges: [] }
    if (nodes.every(node => node.isEmpty) && edges.every(edge => edge.size === 0)) return 'save'
    for (const cursor of waiting) cursor.allowance = 1
    if (++this.#extra === extraBeforeLog) {
      const holders = nodes
        .filter(node => !node.isEmpty)
        .map(({ name, ownedLeases }) => `"${name}" holds ${ownedLeases.size}`)
      this.#host.log(
        `the checkpoint waits for items to leave: after ${extraBeforeLog} more, ${holders.join(', ')}`,
      )
    }
    return 'more-items'
  }

  async #saveAndGoOn(): Promise<void> {
    const { scheduler, fail } = this.#host
    scheduler.begin()
    try {
      await this.save()
    } catch (error) {
      fail(error)
    }
    this.#saving = undefined
    this.#extra = 0
    const network = this.#host.network()
    network?.resetGates()
    if (this.#stopping) network?.stopSources()
    else for (const cursor of this.#cursors) cursor.allowance = this.#round
    network?.wake()
    if (this.#pausesAfter && !this.#stopping) {
      scheduler.pause()
      this.#host.log('paused, as before the checkpoint')
    }
    this.#pausesAfter = false
    scheduler.end()
  }

  /** Writes a checkpoint unless nothing was done since the last one. */
  async save(): Promise<void> {
    const counts = this.#host.counts()
    const name = checkpointNameOf(counts.acknowledged)
    if (name === this.#saved) return
    const best = this.#bestWith(name)
    const state: RunState = {
      version: 1,
      ...counts,
      cursors: Object.fromEntries(this.#cursors.map(cursor => [cursor.name, cursor.state])),
      edges: this.#edgeValues(),
      turns: Object.fromEntries([...this.#fanIns()].map(([end, { turn }]) => [end, turn])),
      ...(best && { best }),
    }
    const write = async (root: string) => {
      // Side by side: the disk takes from one while another is on its way from the GPU.
      const saves = [...this.#durables].map(async ([folder, durable]) => {
        makeFolder(join(root, folder))
        await settles(`saving ${folder}`, durable.save(join(root, folder)))
      })
      const ends = await Promise.allSettled(saves) // nothing may write on where one failed
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    }
    const begin = performance.now()
    await writeCheckpoint(this.#host.directory, { state, keep: this.#cadence.keep, write })
    this.#saved = name
    this.#best = best
    this.#metric = { sum: 0, count: 0 }
    this.#host.log(`checkpoint ${name} (${((performance.now() - begin) / 1000).toFixed(1)} s)`)
  }

  get #round(): number {
    return this.#cadence.every || Number.POSITIVE_INFINITY
  }

  #bestWith(checkpoint: string): RunState['best'] {
    const { sum, count } = this.#metric
    if (count === 0 || (this.#best && this.#best.value >= sum / count)) return this.#best
    return { checkpoint, value: sum / count }
  }

  /** Inputs into which several edges lead, by node.port. */
  #fanIns(): Map<string, Input> {
    return new Map(
      this.#inputs()
        .filter(({ edges }) => edges.length > 1)
        .flatMap(input => input.edges.slice(0, 1).map(({ end }): [string, Input] => [end, input])),
    )
  }

  #inputs(): readonly Input[] {
    return this.#host.network()?.nodes.flatMap(node => node.inputs) ?? []
  }

  #edgeValues(): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    for (const input of this.#inputs()) {
      const [edge] = input.edges
      if (!edge?.feedback || !edge.latest || !edge.last) continue
      const { value } = edge.last
      if (!isJson(value)) {
        const rule = `edge ${edge.name}: its value must be JSON for a checkpoint to keep it`
        throw new RunError('checkpoint-failed', rule)
      }
      values[edge.name] = value
    }
    return values
  }
}

/** After this many more items the log says what the checkpoint waits for. */
const extraBeforeLog = 100

/** A resource's folder has its name: `checkpoints/000020/policy`. Names begin with a letter, so `_nodes` cannot clash. */
export const folderOf = ({ kind, name }: CheckpointPart): string => {
  const flat = name.replaceAll('/', '.')
  return kind === 'resource' ? flat : join('_nodes', flat)
}
