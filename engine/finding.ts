// Part of the public contract in operator.ts.

/** How many rows a source reads in one pass. */
export interface Rows {
  readonly rows: number
}

/** Something wrong with what a config names, found without running. */
export interface Finding {
  /** The config field that names it. */
  field: string
  /** The node or resource whose field that is, by its name in the whole graph, if it is another one. */
  part?: string
  /** What would be right, e.g. `must name clips that can be read`. */
  rule: string
  /** A line for each fault, with its place. */
  lines: readonly string[]
  /** Stable, for programs. */
  code: string
  /** What the user can do about it, in one line. */
  remedy: string
  /** How many items would fail, and how many there are. The run goes on if the later nodes may skip this share. */
  failing?: { items: number; of: number }
  /** A config field of another node that would let the run go on, and its smallest value that does. */
  raise?: { node: string; field: string; to: number }
  /** What items lack that some operators need (`Marks.reads`): the run fails at such an operator, and completes without one. */
  lacks?: string
  /** The run would complete, but most likely not as it is meant. */
  isWarning?: boolean
  /** A run does what it can and says at its end what is missing, so it may begin. */
  readonly endsEarly?: boolean
}
