import type { Observable, OperatorFunction } from 'rxjs'
import type { Config, Fields } from './fields.ts'
import type { Finding, Rows } from './finding.ts'
import type { DeriveOptions, EachOptions, Emission, Item } from './item.ts'
import type { Marks } from './marks.ts'
import type { Teamed, TeamWork } from './team.ts'

export type { Config, Field, Fields } from './fields.ts'
export type { Finding, Rows } from './finding.ts'
export type { DeriveOptions, EachOptions, Emission, Item } from './item.ts'
export type { Marks, NeededMark } from './marks.ts'
export { alone, type Share, type Team, type Teamed, type TeamWork } from './team.ts'
export {
  jsonForm,
  type Packed,
  type Unpacked,
  type WireContext,
  type WireForm,
  type WireTensor,
  wireForm,
} from './wire-form.ts'

/** Version of everything in this file and in fields.ts. A plugin states the one that it was written for; another one is refused. */
export const apiVersion = 1

/** A port: the kind of its items, e.g. `frames`. `any` joins with every kind. */
export type Port = string | PortDetails

export interface PortDetails {
  kind: string
  /** An input that need not be connected; an output that a graph may leave unconnected without a warning. */
  optional?: boolean
  description?: string
  /** Number format of the tensor that an item carries. */
  dtype?: 'f32' | 'f16' | 'i32' | 'u32' | 'u8'
  /**
   * Extents of the tensor, outermost first: a number, or a name for a number that is the same in all ports of the
   * operator. An edge makes the extents at its ends equal; `flow check` refuses a graph in which one has two values.
   */
  shape?: readonly (number | string)[]
  /** Of an output: the input whose items it passes on, with their kind and shape. */
  like?: string
  /** Of an output: the input whose tensors its items keep alive. */
  holds?: string
  /**
   * Of an output: its items tell of a change that the node makes in place, e.g. to weights. The node is given what leads to
   * the next change only when nothing works with the last one any more.
   */
  inPlace?: boolean
}

/** Numbers by name, e.g. extents; numbers that cannot be determined yet are left out. */
export type Sizes = Readonly<Record<string, number | undefined>>

/** An estimate, made without running, of memory that a part takes while it runs. */
export interface MemoryUse {
  /** What takes it, e.g. `weights`. */
  what: string
  bytes: number
  /** The config field that lowers it. */
  knob?: string
  /** The memory of which device; default `gpu`. */
  device?: 'gpu' | 'host'
  /** It stays allocated between items, so parts that take turns with this one need their memory in addition. Default: freed. */
  kept?: boolean
}

/** The facts about resources and shapes that a part can use before it runs. */
export interface Known {
  /** The `sizes` of the resource with this name; empty when it cannot be read yet. */
  sizes(resource: string): Sizes
  /** The `outline` of the resource with this name; throws when it cannot be read yet. */
  outline<T>(resource: string): T
  /** Values of the names in the shapes of the operator's ports and of the tensors that its items keep alive. */
  readonly dims: Sizes
}

/** A node or resource of the running graph. `scope`: the sub-graph's prefix. `from`: the outputs read, as `node.port`. */
export interface GraphPart {
  readonly kind: 'node' | 'resource'
  readonly name: string
  readonly scope: string
  readonly type: string
  readonly config: Readonly<Record<string, unknown>>
  readonly from: readonly string[]
  /** What `--set` changes to change a field of its config: a param of the graph, or a path. */
  setting(field: string): string
}

/** The engine, as a running operator sees it. */
export interface Context {
  /** Name of the node in the graph. */
  readonly node: string
  /** The run's seed. */
  readonly seed: number
  /** Folder of the run's files. Relative paths in config are resolved by the operator, against the working directory. */
  readonly runDirectory: string
  readonly parts: readonly GraphPart[]
  /** Aborted when the run is aborted or no consumer wants this node's output any more: pass it to calls that may take long. */
  readonly signal: AbortSignal
  /** The opened resource that a config field (with `resource: KIND`) names. */
  resource<T>(name: string): T
  /** Opened once for the whole run on first use, closed at its end: e.g. the GPU device. */
  shared<T>(key: string, open: () => Promise<T>, close: (value: T) => void | Promise<void>): Promise<T>
  /** Appends one JSON object as a line to `<run directory>/<stream>.jsonl`. */
  record(stream: string, entry: Readonly<Record<string, unknown>>): void
  /** Logs a line: the command line shows it and the run's log keeps it. */
  log(message: string, level?: LogLevel): void
  /** Sets the progress shown, e.g. updates done and, if it can be told, their total. */
  progress(state: Progress): void
  /** Of a source: how many items it will give in all, as soon as it knows, and what they are: `questions`. */
  expect(items: number, what: string): void
  /**
   * Adds state that outlives items to the run's checkpoints: weights, moments, counters, positions in files.
   * Called once, in `run` of an operator or `open` of a resource.
   */
  checkpoint(state: Durable): void
  /**
   * For an operator that `pairs`: called when nothing else can happen in the run. `isAlone` tells of an item that the
   * node holds whether its partner can no longer arrive, because everything else that came from the same source item is
   * gone. The node then releases it, or fails. Called once, in `run`.
   */
  partnerless(release: (isAlone: (item: Item) => boolean) => void): void
  /** Before long work: true if the run is stopping without a checkpoint. The item then stays undone, and the run counts as stopped. */
  leaves(item: Item): boolean
  /** A number that `flow top` shows, read every second, e.g. the bytes alive on a GPU. */
  gauge(name: string, read: () => number): void
  /**
   * Lets taps show statistics of values that are not in the memory of the process, such as tensors on a GPU: `read` is called with
   * a value while it is alive, and gives its elements, or undefined for a value that it does not know.
   */
  inspect(read: (value: unknown) => Promise<ArrayLike<number>> | undefined): void
  /** Items that the run has skipped so far because they failed, e.g. broken clips. */
  skippedItems(): number
  /** Adds a fact to the run's `manifest.json`, e.g. the GPU adapter. */
  manifest(key: string, value: unknown): void
  /**
   * The usual way to write a node: an RxJS operator that takes each item, calls `work`, and emits an item derived
   * from it. Undefined emits nothing; an array emits each element. The input is released afterwards. A thrown error
   * goes through the node's `onError` policy with the item's key and seed.
   */
  each<A, B>(
    work: (value: A, item: Item<A>) => Result<B> | Promise<Result<B>>,
    options?: EachOptions,
  ): OperatorFunction<Item<A>, Item<B>>
  /** A stream of items without parents, for sources. `pull` is read only when there are credits and room. */
  source<T>(pull: () => AsyncIterable<SourceItem<T, string | number>>): Observable<Item<T>>
  /** Does work on a batch, divided among the processes of the node if the run has several: see `Operator.team`. */
  together<T, R>(batch: readonly T[], work: TeamWork<T, R>): Promise<R>
  /** Wraps a value with options for `each`. */
  emit<T>(value: T, options?: DeriveOptions): Emission<T>
}

/** State that a resumed run needs. No item exists in the whole run while it is saved or restored. */
export interface Durable {
  /** Writes files into an empty folder of its own. */
  save(folder: string): void | Promise<void>
  /** Reads what `save` wrote: right after `open` of a resource, or before the first item reaches a node. */
  restore(folder: string): void | Promise<void>
  /** The same state in a form that is quick to write and to read, for other processes of the run; default: as above. */
  readonly copy?: Pick<Durable, 'save' | 'restore'>
}

/** Default: `info`. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Progress {
  done: number
  total?: number
  /** What is counted, in the plural: `questions`. Without it, updates. */
  of?: string
  /** A run may well end with fewer than `total`, where nodes drop items. */
  isMost?: boolean
}

export interface SourceItem<T, K extends string | number = string>
  extends Omit<DeriveOptions, 'key' | 'place'> {
  /** Another one for each item of a source; the run ends at the first that comes twice. A number means its decimal digits. */
  key: K
  value: T
  /** Where it was read, for messages, e.g. `rows.jsonl:12`. */
  place?: string
}

export type Result<B> = B | Emission<B> | undefined | readonly (B | Emission<B>)[]

// biome-ignore lint/suspicious/noExplicitAny: an operator states the value type of each of its streams itself.
export type Stream = Observable<Item<any>>

export type Streams = Readonly<Record<string, Stream>>

export type Ports = Readonly<Record<string, Port>>

/** A stream for each port. */
export type StreamsOf<P extends Ports> = { readonly [K in keyof P]: Stream }

/** What can be known of resources without opening them. A brief look, before a run, takes a second: no clip is opened. */
export type Outlines = Pick<Known, 'sizes' | 'outline'> & {
  readonly isBrief?: boolean
  /** The name of the part that is looked at, and all parts of the graph. */
  readonly name?: string
  readonly parts?: readonly GraphPart[]
  /** In `inspectCount`: the rows of sources, by their names. */
  readonly rows?: ReadonlyMap<string, number>
}

/** Remarks for people, and what is wrong; of a source also its rows. */
export type Inspection = Promise<readonly (string | Finding | Rows)[]>

/** Everything about an operator: validation, `flow ops`, the reference page and `schemas/` come from this object. */
export interface Operator<F extends Fields = Fields, I extends Ports = Ports> {
  /** One sentence: what it does. */
  readonly summary: string
  readonly config: F
  readonly inputs: I
  readonly outputs: Ports
  /** Set when the output order is not the input order. */
  readonly unordered?: boolean
  /**
   * Items of one input that the node may hold unreleased at the same time. Default: the largest concurrency given to
   * `each`, or 4 when `run` uses plain RxJS only. State it when `run` collects items, e.g. the size of a batch.
   */
  credits?(config: Config<F>): number
  /** Items that `run` waits for before it emits anything, when it is more than one: the size of a batch. */
  collects?(config: Config<F>): number
  /** Items that `run` works on together when they are there, default 1. A worker takes as many, and one more. */
  atOnce?(config: Config<F>): number
  /** Set when `run` emits nothing before its inputs have ended, e.g. because it sorts: it cannot be part of a cycle. */
  readonly waitsForEnd?: boolean
  /** Set when one item may become several: then the number of items after it cannot be computed. */
  readonly expands?: boolean
  /**
   * `false` promises that every item that arrives leads to an item at each output, or to an error; `true` says that some
   * may not, e.g. of a filter. Without it `flow check` takes it that some may not.
   */
  readonly drops?: boolean
  /** Set when `run` holds an item until one with the same key has arrived at another input: see `Context.partnerless`. */
  readonly pairs?: boolean
  /** Set when `run` keeps something from one item to the next: then its items cannot be divided among processes. */
  readonly serial?: boolean
  /** Set when several processes can work on a batch together: `run` then does it by `Context.together`. */
  readonly team?: Teamed<F, Context>
  /**
   * Names on its items, such as those of rewards, that it adds and needs: `flow check` refuses a name that no node before it adds,
   * where all of them state this.
   */
  marks?(config: Config<F>): Marks
  /** Metrics that it records, where the named `rewards` are on its items: `flow check` refuses another name in `checkpoint.best`. */
  metrics?(config: Config<F>, rewards: readonly string[]): readonly string[]
  /** Set when `run` has lasting effects, e.g. writes a file: then its outputs may be left unconnected. */
  readonly effects?: boolean
  /** Values of the names in the shapes of its ports, as far as config and resources decide them. */
  dims?(config: Config<F>, sizes: Known['sizes']): Sizes
  /** Memory that `run` takes besides the items on its edges. */
  memory?(config: Config<F>, known: Known): readonly MemoryUse[]
  /** Looks at what the config names, without a device: `flow check` prints remarks and findings. Throws when the run would fail. */
  inspect?(config: Config<F>, known: Outlines): Inspection
  /** Of a source: its items, read without running. `flow check` follows them through nodes that are `pure`. */
  preview?(config: Config<F>): AsyncIterable<SourceItem<unknown, string | number>>
  /** What `run` makes of one item, undefined where it drops it: only if that depends on the item and the config alone. */
  pure?(config: Config<F>): (value: unknown, item: { readonly key: string }) => Promise<unknown>
  /** The names of all fields that the items it makes have, where the config alone decides them. */
  gives?(config: Config<F>): readonly string[] | undefined
  /** The number of items that it emits for `items` inputs, a source for `items` rows. Without this, an operator that drops nothing emits `items`, and the number of others is not known. */
  makes?(config: Config<F>, items: number): number | undefined
  /** Looks at the number of items that will reach it, where that is known; infinite if a source repeats its data. */
  inspectCount?(items: number, config: Config<F>, known: Outlines): readonly (string | Finding)[]
  /** Looks at the items that reach it, as far as `flow check` can follow them. */
  inspectItems?(items: readonly SourceItem<unknown, string | number>[], config: Config<F>): Inspection
  /**
   * Wires streams: output name to stream. It never subscribes. A sink returns streams that emit nothing. An item may
   * be passed on as it is; an item dropped without `release` keeps its credit until the node ends (use `each` and
   * return undefined to filter). An optional input that the graph leaves out is an empty stream.
   */
  run(inputs: StreamsOf<I>, config: Config<F>, context: Context): Streams
}

/** Something with a lifetime that nodes share and the graph names: a model, an optimizer. */
export interface Resource<F extends Fields = Fields, T = unknown> {
  readonly summary: string
  readonly config: F
  /** The kind that config fields ask for; usually the resource's own name. */
  readonly kind: string
  /** Numbers about it, e.g. extents, read without opening it. Throws when the data cannot be read (yet). */
  sizes?(config: Config<F>, sizes: Known['sizes']): Sizes
  /** Facts that operators use before it is opened, e.g. a model's shape. Throws when it cannot be read (yet). */
  outline?(config: Config<F>, outline: Known['outline']): unknown
  /** Memory that it takes while it is open. */
  memory?(config: Config<F>, sizes: Known['sizes'], outline: Known['outline']): readonly MemoryUse[]
  /** Looks at what the config names, as for an operator: throws when it could not be opened. */
  inspect?(config: Config<F>, known: Outlines): Inspection
  open(config: Config<F>, context: Context): Promise<T>
  close(value: T): void | Promise<void>
}

export const operator = <const F extends Fields, const I extends Ports>(
  definition: Operator<F, I>,
): Operator<F, I> => definition

export const resource = <const F extends Fields, T>(definition: Resource<F, T>): Resource<F, T> => definition
