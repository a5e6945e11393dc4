import type { Plan, Registry } from '../graph/plan.ts'
import type { Arguments, Flag } from './arguments.ts'
import type { Screen } from './progress.ts'

/** One word of the command line: everything that its help says, and what it does. */
export interface Verb {
  readonly summary: string
  /** What follows the verb, e.g. `GRAPH`. */
  readonly usage: string
  readonly flags: Readonly<Record<string, Flag>>
  /** Shell commands that work when pasted, a line each; `graphs/` stands for the folder of our graphs. */
  readonly example: string
  /** Returns the exit code: 0 fine, 1 the run failed, 2 the graph or the command is wrong, 130 interrupted. */
  run(words: Arguments, world: World): Promise<number>
}

/** What verbs use of the world around them. */
export interface World {
  readonly registry: Registry
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where the progress of a run is shown. */
  readonly screen: Screen
  /** Called before a checked graph runs: makes what it needs and can be made. */
  prepare(plan: Plan): Promise<void>
  /** A line for the answer. */
  print(line: string): void
  /** A line for what is wrong. */
  complain(line: string): void
}

export const setFlag: Flag = {
  value: 'KEY=VALUE',
  many: true,
  description: 'Set a param (group=4) or any value by its path (nodes.update.config.beta=0).',
}
