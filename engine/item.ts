// Items on edges: part of the public contract in operator.ts.

/**
 * One item on an edge, held under a lease. The node that received it must release it once; the engine releases items
 * that RxJS drops inside a node. The value's GPU memory is freed when its last lease is released.
 */
export interface Item<T = unknown> {
  readonly value: T
  /** Identity of the source item that this one descends from, unique within a run; derived items may add to it. */
  readonly key: string
  /** 32-bit seed of the item: a hash of the run's seed, the source node and the key, so independent of timing. */
  readonly seed: number
  /** Size in bytes, counted against the byte capacity of edges. */
  readonly bytes: number
  /** Where the source item was read that this one descends from, e.g. `rows.jsonl:12`; unknown of an item made of several. */
  readonly place?: string | undefined
  /** Makes an item that descends from this one, with the same origins, key and seed unless given. Does not release this one. */
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
  /** Where it was read, if it is not the place of all parents: for one item of a list. */
  place?: string | undefined
}

/** A result of the function given to `each`, with options. */
export interface Emission<T> extends DeriveOptions {
  readonly value: T
}

export interface EachOptions {
  /** Items worked on at the same time; the order of the output is that of the input. Default 1. */
  concurrency?: number
  /** Keep the input's value alive as long as the output lives; default true. */
  keep?: boolean
}
