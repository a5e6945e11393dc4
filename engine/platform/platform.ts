// What the engine and its operators ask of the machine below them. Node gives it (node.ts), and so does a browser tab
// (browser.ts); `imports` in package.json says which of the two `#platform` is. Modules take the calls from the doors in this
// folder: files.ts, paths.ts, processes.ts, threads.ts, clock.ts, digests.ts.

export interface Platform {
  readonly files: Files
  readonly paths: Paths
  readonly processes: Processes
  readonly threads: Threads
  readonly clock: Clock
  readonly digests: Digests
  /** The folder of this package: built-in models, graphs and pages are found from it. */
  readonly packageFolder: string
  readonly Buffer: typeof globalThis.Buffer
}

type Sync = typeof import('node:fs')
type Async = typeof import('node:fs/promises')

/** Files by their paths. A tab keeps them in memory; it may mount files of the visitor, which are read where they lie. */
export type Files = SyncFiles & AsyncFiles & Pick<Sync, 'createReadStream'>

/** The calls that end at once. */
export type SyncFiles = Pick<
  Sync,
  | 'appendFileSync'
  | 'closeSync'
  | 'existsSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'linkSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readdirSync'
  | 'readFileSync'
  | 'readSync'
  | 'realpathSync'
  | 'renameSync'
  | 'rmSync'
  | 'statSync'
  | 'truncateSync'
  | 'writeFileSync'
  | 'writeSync'
>

type AsyncFiles = Pick<
  Async,
  | 'copyFile'
  | 'mkdir'
  | 'mkdtemp'
  | 'open'
  | 'readdir'
  | 'readFile'
  | 'rename'
  | 'rm'
  | 'stat'
  | 'symlink'
  | 'writeFile'
>

/** Names of files; a tab's are POSIX names. */
export type Paths = Pick<
  typeof import('node:path'),
  | 'basename'
  | 'dirname'
  | 'extname'
  | 'isAbsolute'
  | 'join'
  | 'posix'
  | 'relative'
  | 'resolve'
  | 'sep'
  | 'win32'
>

export interface Processes {
  /** Number of this process. */
  readonly id: number
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The system and the processor, for the manifest of a run. */
  readonly system: string
  /** What runs the program, and its version. */
  readonly versions: Readonly<Record<string, string>>
  readonly homeFolder: string
  readonly cores: number
  /** Seconds of processor time that this process has had, all threads together; where that is not told, seconds. */
  processorSeconds(): number
  /** Writes to standard output, where there is one. */
  print(text: string): void
  /** Whether what was printed last ends within a line. */
  readonly isMidLine: boolean
  /** The standard output of a program that ends well within the time; rejects otherwise. */
  output(program: string, args: readonly string[], milliseconds: number): Promise<string>
  /** Calls `listener` when nothing is left that could happen in this process, until the function that it returns is called. */
  onIdle(listener: () => void): () => void
  /** Whether no file, process, connection or GPU is at work, so that only timers can still do something. */
  onlyTimersLeft(): boolean
}

/** A thread that answers messages. */
export interface Thread {
  post(message: unknown): void
  /** The next message; rejects when the thread fails or ends before it. */
  next(): Promise<unknown>
  /** Lets the process end while the thread waits. */
  letGo(): void
  end(): Promise<void>
}

export interface Threads {
  /** Starts a module beside the module at `from`, by its name without ending. */
  start(name: string, from: string, mostMegabytes: number): Thread
  /** Runs `work`; throws an error with the code `late` once it has taken this time, where that can be stopped. */
  within<T>(milliseconds: number, work: () => T): T
}

/** Timers as the platform makes them; `setTimeout` and `setInterval` are everywhere. */
export interface Clock {
  /** Runs `work` after all promises that are settled now. */
  afterPromises(work: () => void): void
  /** Runs `work` in the next turn of the event loop: timers, signals and files have their turn before it. */
  nextTurn(work: () => void): void
  /** A timer that must not keep the process alive. */
  letGo(timer: NodeJS.Timeout): void
  /** A controller whose signal ends any number of waits at once; Node warns of more than ten on the signal of another one. */
  endOfMany(): AbortController
  /** Waits; rejects when the signal aborts. */
  delay(milliseconds: number, signal?: AbortSignal): Promise<void>
}

export interface Digest {
  update(data: string | Uint8Array): Digest
  digest(): Buffer
  digest(form: 'hex' | 'base64'): string
}

export interface Digests {
  createHash(name: 'sha256'): Digest
  randomUUID(): string
}
