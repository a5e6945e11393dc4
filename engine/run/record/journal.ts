import type { NodeFacts } from '../../graph/node-facts.ts'
import type { PlannedNode } from '../../graph/plan.ts'
import { hide, hideIn, type Secrets } from '../../graph/secrets.ts'
import type { LogLevel } from '../../operator.ts'
import { existsSync } from '../../platform/files.ts'
import { join } from '../../platform/paths.ts'
import { codeOf, messageOf, remedyIn } from '../../shared/errors.ts'
import { visible } from '../../shared/visible.ts'
import { hasPage } from '../../view/page-file.ts'
import { reportOf } from '../../view/report.ts'
import { RunError } from '../error.ts'
import type { Lease } from '../items/lease.ts'
import type { RunSummary } from '../summary.ts'
import { logEntries, logFile, openFiles, type RunFiles } from './files.ts'
import { type EventFile, openEventFile } from './tensorboard.ts'

type Entry = Readonly<Record<string, unknown>>

/** Writes the records of a run into its folder. A disk error ends the run; it is never an error of an item. */
export class Journal {
  readonly directory: string
  readonly #files: RunFiles
  readonly #onFault: (error: unknown) => void
  readonly #facts: Record<string, unknown> = {}
  #events: EventFile | undefined
  #steps = 0

  readonly #secrets: Secrets

  /** `earlier` are the files of a run that is resumed; `secrets` are hidden in everything written. */
  constructor(
    directory: string,
    earlier: readonly string[],
    secrets: Secrets,
    onFault: (error: unknown) => void,
  ) {
    this.directory = directory
    this.#secrets = secrets
    this.#files = openFiles(directory, earlier)
    this.#onFault = onFault
  }

  /** Appends to `<stream>.jsonl`; metrics become curves too. */
  record(stream: string, entry: Entry): void {
    if (!/^[a-z][a-z0-9-]*$/.test(stream))
      throw new RunError(
        'operator-misused',
        `the stream "${stream}" must have a name of small letters, digits and "-"`,
      )
    this.#append(`${stream}.jsonl`, this.#lineOf(entry))
    if (stream !== 'metrics') return
    this.#steps = typeof entry.step === 'number' ? entry.step : this.#steps + 1
    this.#guard(() => {
      this.#events ??= openEventFile(this.directory)
      this.#events.scalars(this.#steps, hideIn(entry, this.#secrets))
    })
  }

  log(message: string, level: LogLevel, node?: string): void {
    const shown = hide(message, this.#secrets)
    this.#append(logEntries, entryOf(shown, level, node))
    this.#append(logFile, visible(shown))
  }

  /** Logs the error that ends the run; log.txt gets the stack of the operator's code. */
  logFault(fault: RunError): void {
    const stack = fault.cause instanceof Error ? fault.cause.stack : undefined
    this.#append(logFile, visible(hide(`${fault.message}${stack ? `\n${stack}` : ''}`, this.#secrets)))
    this.#append(logEntries, entryOf(hide(fault.message, this.#secrets), 'error', fault.node))
  }

  /** Adds a skipped item to the dead letters. */
  bury(node: PlannedNode, { key, seed, place }: Pick<Lease, 'key' | 'seed' | 'place'>, error: unknown): void {
    const { name, operatorName } = node
    const letter = {
      node: name,
      operator: operatorName,
      key,
      seed,
      ...(place !== undefined && { place }),
      code: codeOf(error),
      error: messageOf(error),
    }
    this.#append('dead-letters.jsonl', visible(this.#lineOf(letter)))
  }

  /** Writes what its nodes are, for a page that shows the run and loads no plugin. */
  describe(nodes: readonly NodeFacts[]): void {
    this.#files.replace('nodes.json', JSON.stringify(nodes))
  }

  /** Adds facts to `manifest.json`. */
  state(facts: Entry): void {
    Object.assign(this.#facts, hideIn(facts, this.#secrets))
    this.#files.replace('manifest.json', `${JSON.stringify(this.#facts, null, 2)}\n`)
  }

  /** Bytes of every file, all of them on the disk. */
  sizes(): Record<string, number> {
    return this.#files.sizes()
  }

  /** Adds how the run ended, and makes the page of one that measured something. */
  conclude({ error, ...facts }: RunSummary): void {
    const remedy = remedyIn(error)
    const told = error && {
      code: error.code,
      message: error.message,
      ...(remedy !== undefined && { remedy }),
    }
    this.state({ ...facts, ...(told && { error: told }) })
    if (!['metrics', 'samples'].some(name => existsSync(join(this.directory, `${name}.jsonl`)))) return
    if (!hasPage()) {
      this.log('no report.html: the page was not built; "npm run build" builds it', 'warn')
      return
    }
    try {
      this.#files.replace('report.html', reportOf(this.directory))
    } catch (error) {
      // the run ends as failed by it, and its manifest must not say that all is done
      this.state({ status: 'failed', error: { code: codeOf(error) ?? 'failed', message: messageOf(error) } })
      throw error
    }
  }

  close(): void {
    this.#files.close()
    this.#events?.close()
  }

  #lineOf(entry: Entry): string {
    const line = JSON.stringify(entry)
    return this.#secrets.size === 0 ? line : JSON.stringify(hideIn(JSON.parse(line), this.#secrets))
  }

  #append(name: string, line: string): void {
    this.#guard(() => this.#files.append(name, line))
  }

  #guard(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#onFault(error)
    }
  }
}

/** A line of the structured log. */
const entryOf = (message: string, level: LogLevel, node?: string): string =>
  visible(
    JSON.stringify({ time: new Date().toISOString(), level, ...(node !== undefined && { node }), message }),
  )
