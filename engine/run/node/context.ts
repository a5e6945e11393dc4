import type { PlannedNode } from '../../graph/plan.ts'
import type {
  Context,
  Durable,
  EachOptions,
  GraphPart,
  LogLevel,
  Progress,
  TeamWork,
} from '../../operator.ts'
import { notInJson } from '../../shared/json.ts'
import { alone } from '../../team.ts'
import { RunError } from '../error.ts'
import { emission } from '../items/emission.ts'
import { type Lease, leaseOf } from '../items/lease.ts'
import type { Ledger } from '../items/ledger.ts'
import type { Lifetimes } from '../lifetimes.ts'
import type { RunProgress } from '../progress.ts'
import type { ValueReader } from '../record/value-summary.ts'
import { each } from './each.ts'
import type { Host } from './host.ts'
import { source } from './source.ts'

/** What all nodes and resources of a run share. */
export interface Services {
  readonly seed: number
  readonly directory: string
  readonly parts: readonly GraphPart[]
  readonly lifetimes: Lifetimes
  record(stream: string, entry: Readonly<Record<string, unknown>>): void
  log(message: string, level?: LogLevel, node?: string): void
  progress(state: Progress): void
  /** Of a run as a whole: which nodes have sources, and how many items each will give. */
  readonly expectations: Pick<RunProgress, 'source' | 'expect'>
  readonly ledger: Pick<Ledger, 'skipped'>
  manifest(key: string, value: unknown): void
  gauge(name: string, read: () => number): void
  inspect(read: ValueReader): void
  /** Keeps a part's state in checkpoints. */
  checkpoint(part: CheckpointPart, state: Durable): void
  /** Divides batches among the processes of a run that has several learners. */
  readonly together?: Together | undefined
  /** See `Context.leaves`. */
  leaves(item: Lease): boolean
  /** The opened resource that a name means for a part in this scope. */
  resource(name: string, scope: string): unknown
}

/** Does a node's work on a batch. */
export type Together = <T, R>(context: Context, batch: readonly T[], work: TeamWork<T, R>) => Promise<R>

/** A node or resource that has state of its own. */
export interface CheckpointPart {
  readonly kind: 'node' | 'resource'
  readonly name: string
}

/** A part and the sub-graph that it belongs to. */
interface ScopedPart extends CheckpointPart {
  scope: string
  signal: AbortSignal
}

/** The context of a resource: it has no streams. */
export function resourceContext(part: ScopedPart, services: Services): Context {
  const onlyNodes = () => {
    throw new RunError('operator-misused', `resource "${part.name}": only nodes have streams`)
  }
  const { seed, directory, parts, lifetimes, progress, manifest, gauge, inspect } = services
  const told = new Set<string>()
  /** Says once for each field that a file holds null in place of its number. */
  const recordAsIs: Context['record'] = (stream, entry) => {
    const lost = notInJson(entry)
    const field = `${stream} ${lost?.path.replaceAll(/\d+/g, '#')}`
    if (lost && !told.has(field)) {
      told.add(field)
      const text = `"${lost.path}" is ${lost.found}, which JSON has not: ${stream}.jsonl holds null there (said once)`
      services.log(`${part.name}: ${text}`, 'warn', part.name)
    }
    services.record(stream, entry)
  }
  return {
    node: part.name,
    seed,
    runDirectory: directory,
    parts,
    signal: part.signal,
    // the caller states the type of the resource's kind
    resource: <T>(name: string) => services.resource(name, part.scope) as T,
    shared: (key, open, close) => lifetimes.share(key, open, close),
    record: recordAsIs,
    log: (message, level) => services.log(`${part.name}: ${message}`, level, part.name),
    progress,
    expect: onlyNodes,
    skippedItems: () => services.ledger.skipped,
    manifest,
    gauge,
    inspect,
    checkpoint: state => services.checkpoint(part, state),
    partnerless: onlyNodes,
    leaves: onlyNodes,
    each: onlyNodes,
    source: onlyNodes,
    together: onlyNodes,
    emit: emission,
  }
}

/** The context of a node, and the largest concurrency that its operator asked `each` for. */
export function nodeContext(
  host: Host,
  { scope, parallel }: Pick<PlannedNode, 'scope' | 'parallel'>,
  services: Services,
): { context: Context; concurrency: () => number | undefined } {
  let largest: number | undefined
  const context: Context = {
    ...resourceContext({ kind: 'node', name: host.name, scope, signal: host.signal }, services),
    each: (work, options: EachOptions = {}) => {
      const concurrency = parallel ?? options.concurrency ?? 1
      largest = Math.max(largest ?? 1, concurrency)
      return each(host, work, { ...options, concurrency })
    },
    source: pull => {
      services.expectations.source(host.name)
      return source(host, pull)
    },
    expect: (items, what) => services.expectations.expect(host.name, items, what),
    together: (batch, work) =>
      services.together ? services.together(context, batch, work) : work(batch, alone),
    partnerless: release => host.releasesPartnerless(release),
    leaves: item => services.leaves(leaseOf(item)),
  }
  return { context, concurrency: () => largest }
}
