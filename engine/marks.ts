// Part of the public contract in operator.ts.

/**
 * Names that an operator puts on its items and that others look for there, e.g. those of rewards. An operator that states none of
 * this may add any name; `{}` says that it adds none.
 */
export interface Marks {
  readonly adds?: readonly string[]
  /** Its items are new: names on those that it takes are not on them. */
  readonly anew?: boolean
  readonly needs?: readonly NeededMark[]
  /** What it needs of the value of each item, as a finding's `lacks` names it, e.g. `solution`. */
  readonly reads?: readonly string[]
}

/** A name that must be on the items that arrive. */
export interface NeededMark {
  readonly name: string
  /** Steps in the config to the value that names it; none: the operator itself asks for it. */
  readonly steps: readonly string[]
  /** It is needed only where nodes before add other names. */
  readonly ifOthers?: boolean
  /** What it must be, e.g. `must name a reward that a node before this one sets`. */
  readonly rule: string
  /** What to do where no other name is near. */
  readonly remedy: string
}
