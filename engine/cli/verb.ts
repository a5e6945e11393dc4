import type { Plan, Registry } from '../graph/plan.ts'
import type { Arguments, Flag } from './arguments.ts'
import type { Screen } from './progress.ts'

/** A verb of the command line: its help and its action. */
export interface Verb {
  readonly summary: string
  /** What follows the verb, e.g. `GRAPH`. */
  readonly usage: string
  readonly flags: Readonly<Record<string, Flag>>
  /**
   * What its plain words name, if plugins may be loaded for it: graph files, or folders of runs. A verb that only looks at a
   * folder leaves this out: no code runs because a folder names it.
   */
  readonly loads?: 'graphs' | 'runs'
  /** Shell commands that work when pasted; help replaces `=graphs/` by the folder of flow's graphs. */
  readonly example: string
  /** Returns the exit code: 0 fine, 1 failed, 2 a wrong command or graph, 130 stopped. */
  run(words: Arguments, world: World): Promise<number>
}

/** The surroundings of a verb: operators, environment, terminal. */
export interface World {
  readonly registry: Registry
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where the progress of a run is shown. */
  readonly screen: Screen
  /**
   * Called before a checked graph runs: makes the embedded data and models that it names, and downloads what it names on the
   * Hugging Face hub. Takes the facts of the run that is continued, and returns facts for the manifest.
   */
  prepare(plan: Plan, facts?: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Prints a line of the result. */
  print(line: string): void
  /** Prints a line about an error or a warning. */
  complain(line: string): void
}

const ofView = { explainedBy: 'view' }

/** Flags of a page that shows runs. */
export const viewFlags = {
  port: { ...ofView, value: 'N', description: 'Port of the page (default: a free one).' },
  host: {
    ...ofView,
    value: 'ADDRESS',
    description: 'Address that the page is served at (default 127.0.0.1: this machine alone).',
  },
  edit: { ...ofView, description: 'Let the page save the graph that it shows, and run it.' },
  control: { ...ofView, description: 'Let the page pause a run, take a checkpoint and stop it.' },
} satisfies Record<string, Flag>

/** Of every verb that opens a device, or asks for its memory. */
export const gpuFlag = {
  gpu: { value: 'GPU', description: 'The GPU: number or PCI id in "flow adapters", or part of its name.' },
} satisfies Record<string, Flag>

export const setFlag: Flag = {
  value: 'KEY=VALUE',
  many: true,
  description: 'Set a param (group=4) or any value by its path (nodes.update.config.beta=0).',
}
