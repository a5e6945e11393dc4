/** A graph with one fault in what it names, and what must be said about it. */
export interface Fault {
  name: string
  /** Spoils a folder that holds `model/`, `train.jsonl` and `clips/`; `g.json` is a graph of its own. */
  spoil(folder: string): void
  graph?: string
  set?(folder: string): readonly string[]
  /** Flags after the graph. */
  flags?: readonly string[]
  /** The short look of `flow run` leaves it to the run: one of many clips, the memory of the GPU, or too few rows. */
  needsTime?: boolean
  /** Only a warning: the run would complete. */
  isWarning?: boolean
}
