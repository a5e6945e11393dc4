import type { Observable, OperatorFunction } from 'rxjs'

/** One field of an operator's config: a JSON Schema fragment with a description. Without `default` it is required. */
export type Field = (
  | NumberField
  | { type: 'boolean'; default?: boolean }
  | StringField
  | { type: 'array'; items: ItemField; minItems?: number; default?: readonly unknown[] }
  | { type: 'object'; default?: Readonly<Record<string, unknown>> }
) & {
  description: string
  /** The field is read only when these other fields have these values: `flow check` says so when it is set in vain. */
  when?: Readonly<Record<string, string | number | boolean>>
}

interface NumberField {
  type: 'number' | 'integer'
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  default?: number
}

interface StringField {
  type: 'string'
  enum?: readonly string[]
  default?: string
  /** The string names a resource of this kind in the graph, e.g. `model`. */
  resource?: string
}

type ItemField =
  | { type: 'number' | 'integer' | 'boolean' | 'object' }
  | { type: 'string'; enum?: readonly string[] }

export type Fields = Readonly<Record<string, Field>>

type ItemValue<I> = I extends { type: 'string'; enum: infer E extends readonly string[] }
  ? E[number]
  : I extends { type: 'string' }
    ? string
    : I extends { type: 'number' | 'integer' }
      ? number
      : I extends { type: 'boolean' }
        ? boolean
        : Readonly<Record<string, unknown>>

type Value<F> = F extends { type: 'string'; enum: infer E extends readonly string[] }
  ? E[number]
  : F extends { type: 'string' }
    ? string
    : F extends { type: 'number' | 'integer' }
      ? number
      : F extends { type: 'boolean' }
        ? boolean
        : F extends { type: 'array'; items: infer I }
          ? readonly ItemValue<I>[]
          : Readonly<Record<string, unknown>>

/** The config an operator's `run` receives: every field is present, defaults filled in. */
export type Config<F extends Fields> = { readonly [K in keyof F]: Value<F[K]> }

/** Version of everything in this file. A plugin states the one that it was written for; another one is refused. */
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
   * Extents of that tensor, outermost first: a number, or a name that stands for the same number in all ports of the
   * operator. Edges join extents; `flow check` refuses a graph in which one would have two values.
   */
  shape?: readonly (number | string)[]
  /** Of an output: the input whose items it passes on, with their kind and shape. */
  like?: string
  /** Of an output: the input whose tensors its items keep alive. */
  holds?: string
}

/** Numbers by name, e.g. extents; what is not known yet is left out. */
export type Sizes = Readonly<Record<string, number | undefined>>

/** Memory that a part takes while it runs, found without running. */
export interface MemoryUse {
  /** What takes it, e.g. `weights`. */
  what: string
  bytes: number
  /** The config field to lower for less of it. */
  knob?: string
  /** Where it lies; on the GPU unless said otherwise. */
  device?: 'gpu' | 'host'
  /** Whether it stays for the next item, so that what takes turns with this part comes on top; by default it goes. */
  kept?: boolean
}

/** What is known about the surroundings of a part before it runs. */
export interface Known {
  /** What the resource of that name says of itself; empty when it cannot be read yet. */
  sizes(resource: string): Sizes
  /** What the resource of that name hands out before it is opened; throws when that cannot be read yet. */
  outline<T>(resource: string): T
  /** Values of the names in the shapes of the operator's ports, and of what its items keep alive. */
  readonly dims: Sizes
}

/**
 * One item on an edge, held under a lease. The node that received it owes one `release`; what RxJS drops inside a
 * node, the engine releases. The value's GPU memory is freed when the last lease of it is gone.
 */
export interface Item<T = unknown> {
  readonly value: T
  /** Identity of the source item that this one descends from, unique within a run; derived items may add to it. */
  readonly key: string
  /** 32-bit seed of the item: a hash of the run's seed, the source node and the key, so independent of timing. */
  readonly seed: number
  /** As counted against the byte capacity of edges. */
  readonly bytes: number
  /** Makes an item that descends from this one: same origins, key and seed unless given. Does not release this one. */
  derive<U>(value: U, options?: DeriveOptions): Item<U>
  release(): void
}

export interface DeriveOptions {
  key?: string
  /** Counted against the byte capacity of edges. */
  bytes?: number
  /** Called once, when the last lease of the new item is released. */
  dispose?: () => void
  /** Keep the parent's value alive as long as the child lives; default true. */
  keep?: boolean
  /** Further parents, e.g. the other items of a batch: their origins and, with `keep`, their values too. */
  parents?: readonly Item[]
}

/** Returned by a function given to `each` when the plain value is not all there is to say. */
export interface Emission<T> extends DeriveOptions {
  readonly value: T
}

export interface EachOptions {
  /** Items worked on at the same time; the order of the output is that of the input. Default 1. */
  concurrency?: number
  /** Keep the input's value alive as long as the output lives; default true. */
  keep?: boolean
}

/** What a running operator may use besides its inputs and config. */
export interface Context {
  /** Name of the node in the graph. */
  readonly node: string
  /** The run's seed. */
  readonly seed: number
  /** Folder of the run's files. Relative paths in config are the operator's business: against the working directory. */
  readonly runDirectory: string
  /** Aborted when the run is aborted or nobody wants this node's output any more: pass it on to what can wait long. */
  readonly signal: AbortSignal
  /** The opened resource that a config field (with `resource: KIND`) names. */
  resource<T>(name: string): T
  /** Opened once for the whole run on first use, closed at its end: e.g. the GPU device. */
  shared<T>(key: string, open: () => Promise<T>, close: (value: T) => void | Promise<void>): Promise<T>
  /** Appends one JSON object as a line to `<run directory>/<stream>.jsonl`. */
  record(stream: string, entry: Readonly<Record<string, unknown>>): void
  /** A line for people, shown by the command line and kept in the run's log. */
  log(message: string, level?: LogLevel): void
  /** How far the run is, for the progress line: e.g. updates done and, when known, in all. */
  progress(state: Progress): void
  /**
   * Takes part in the run's checkpoints with state that outlives items: weights, moments, counters, positions in files.
   * Said once, in `run` of an operator or `open` of a resource.
   */
  checkpoint(state: Durable): void
  /** A number that `flow top` shows, read every second, e.g. the bytes alive on a GPU. */
  gauge(name: string, read: () => number): void
  /** Puts a fact into the run's `manifest.json`, e.g. the adapter that a shared device runs on. */
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
  /** An item with no parent: a source's way to emit. The stream waits for credits: `pull` is read only when there is room. */
  source<T>(pull: () => AsyncIterable<SourceItem<T, string | number>>): Observable<Item<T>>
  /** Wraps a value with options for `each`. */
  emit<T>(value: T, options?: DeriveOptions): Emission<T>
}

/** State that a resumed run needs. No item is under way in the whole run while it is saved or restored. */
export interface Durable {
  /** Writes files into an empty folder of its own. */
  save(folder: string): void | Promise<void>
  /** Takes up what `save` wrote: right after `open` of a resource, or before the first item reaches a node. */
  restore(folder: string): void | Promise<void>
}

/** `info` unless said otherwise. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Progress {
  done: number
  total?: number
}

export interface SourceItem<T, K extends string | number = string> extends Omit<DeriveOptions, 'key'> {
  /** A number stands for its decimal digits. */
  key: K
  value: T
}

export type Result<B> = B | Emission<B> | undefined | readonly (B | Emission<B>)[]

// biome-ignore lint/suspicious/noExplicitAny: an operator states the value type of each of its streams itself.
export type Stream = Observable<Item<any>>

export type Streams = Readonly<Record<string, Stream>>

export type Ports = Readonly<Record<string, Port>>

/** A stream for each port. */
export type StreamsOf<P extends Ports> = { readonly [K in keyof P]: Stream }

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
   * `each`, or 4 when `run` uses plain RxJS only. Say it when `run` collects items, e.g. the size of a batch.
   */
  credits?(config: Config<F>): number
  /** Items that `run` waits for before it emits anything, when it is more than one: the size of a batch. */
  collects?(config: Config<F>): number
  /** Set when one item may become several: then nothing is concluded about how many arrive behind it. */
  readonly expands?: boolean
  /** Set when `run` does something that lasts besides its outputs: then they may be left unconnected. */
  readonly effects?: boolean
  /** Values of the names in the shapes of its ports, as far as config and resources decide them. */
  dims?(config: Config<F>, sizes: Known['sizes']): Sizes
  /** Memory that `run` takes besides the items on its edges. */
  memory?(config: Config<F>, known: Known): readonly MemoryUse[]
  /**
   * What is noteworthy about the data that the config names, a line each, found without running: `flow check` prints
   * it. Throws when the data cannot be read at all.
   */
  inspect?(config: Config<F>): Promise<readonly string[]>
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
  /** Numbers about it, read without opening it. Throws when the data cannot be read (yet). */
  sizes?(config: Config<F>, sizes: Known['sizes']): Sizes
  /** What operators reckon with before it is opened, e.g. a model's shape. Throws when it cannot be read (yet). */
  outline?(config: Config<F>, outline: Known['outline']): unknown
  /** Memory that it takes while it is open. */
  memory?(config: Config<F>, sizes: Known['sizes']): readonly MemoryUse[]
  open(config: Config<F>, context: Context): Promise<T>
  close(value: T): void | Promise<void>
}

export const operator = <const F extends Fields, const I extends Ports>(
  definition: Operator<F, I>,
): Operator<F, I> => definition

export const resource = <const F extends Fields, T>(definition: Resource<F, T>): Resource<F, T> => definition
