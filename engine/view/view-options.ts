/** What a view shows and what it allows. */
export interface ViewOptions {
  host: string
  port: number
  /** The page may pause a run, take a checkpoint and stop it. */
  control: boolean
  /** Folders of runs by the names that the page has for them, read anew with each look. */
  runs(): ReadonlyMap<string, string>
  /** Names of the runs that are shown first. */
  shown(): readonly string[]
  /** Answers of the editor to POST requests by name, e.g. `check`. */
  editor?: Editor
}

/** The graph that the page edits. */
export interface Editor {
  /** Its file, as the command named it. */
  readonly file: string
  answer(name: string, body: unknown): Promise<unknown>
}
