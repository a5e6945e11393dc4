import type { NodeFacts } from '../graph/node-facts.ts'
import {
  Buffer,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from '../platform/files.ts'
import { basename, join } from '../platform/paths.ts'
import type { Status } from '../run/record/status.ts'
import { refuseUnlessFile } from '../shared/files.ts'
import { isObject } from '../shared/json.ts'
import type { Entry, LinesMessage, Message } from './messages.ts'

/** Most bytes of a stream that are read when a page opens: older lines are left out. */
const mostBytes = 24 << 20
/** Lines in one message: the page shows the first ones while others are on their way. */
const linesInMessage = 1000
/** Results of an evaluation in one look. */
const resultsInLook = 500

/** Follows the folder of a run, or of an evaluation's results: each look gives what is new. */
export class RunReader {
  readonly directory: string
  readonly #run: string
  readonly #most: number
  readonly #texts = new Map<string, string>()
  readonly #offsets = new Map<string, number>()
  readonly #results = new Set<string>()

  /** `run` is the name that messages give to it. */
  constructor(directory: string, run: string, most = mostBytes) {
    this.directory = directory
    this.#run = run
    this.#most = most
  }

  /** What the folder holds that the looks before did not give. A file that is being written is left for the next look. */
  look(): Message[] {
    const run = this.#run
    const manifest = this.#changed('manifest.json')
    const nodes = this.#changed('nodes.json')
    const status = this.#changed('status.json')
    return [
      ...(isObject(manifest) ? [{ type: 'manifest' as const, run, manifest }] : []),
      // written by flow itself: they are what they claim to be, and the page shows any other text as text
      ...(Array.isArray(nodes) ? [{ type: 'nodes' as const, run, nodes: nodes as NodeFacts[] }] : []),
      ...(isObject(status) ? [{ type: 'status' as const, run, status: status as unknown as Status }] : []),
      ...this.#streams().flatMap(name => this.#lines(name)),
      ...this.#newResults(),
    ]
  }

  /** The value of a JSON file that is not as it was. */
  #changed(name: string): unknown {
    const path = join(this.directory, name)
    try {
      refuseUnlessFile(path)
      const text = readFileSync(path, 'utf8')
      if (text === this.#texts.get(name)) return undefined
      const value: unknown = JSON.parse(text)
      this.#texts.set(name, text)
      return value
    } catch {
      return undefined // not there yet, or from a machine that crashed: the page shows the rest
    }
  }

  #streams(): string[] {
    if (!existsSync(this.directory)) return []
    return readdirSync(this.directory).filter(
      name => name.endsWith('.jsonl') && isFile(join(this.directory, name)),
    )
  }

  #lines(name: string): LinesMessage[] {
    const path = join(this.directory, name)
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    const before = this.#offsets.get(name)
    const reset = before !== undefined && size < before
    const begin = reset || before === undefined ? Math.max(0, size - this.#most) : before
    if (size <= begin && !reset) return []
    const bytes = readBytes(path, begin, Math.min(size, begin + this.#most))
    const end = bytes.lastIndexOf(lineEnd) + 1
    const first = begin > 0 && before !== begin ? bytes.indexOf(lineEnd) + 1 : 0
    this.#offsets.set(name, begin + end)
    const entries = bytes
      .subarray(first, end)
      .toString('utf8')
      .split('\n')
      .flatMap(line => entryOf(line))
    const leftOut = begin > 0 && before !== begin ? { leftOut: `${begin + first} bytes` } : {}
    const about = { type: 'lines' as const, run: this.#run, stream: basename(name, '.jsonl') }
    return inParts(entries).map((part, i) => {
      return { ...about, entries: part, ...(i === 0 && { ...(reset && { reset }), ...leftOut }) }
    })
  }

  /** An evaluation keeps one file for each question. */
  #newResults(): LinesMessage[] {
    const folder = join(this.directory, 'results')
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return []
    const isNew = (name: string) =>
      name.endsWith('.json') && !this.#results.has(name) && isFile(join(folder, name))
    const names = readdirSync(folder).filter(isNew)
    const entries = names.slice(0, resultsInLook).flatMap(name => {
      this.#results.add(name)
      return entryOf(readFileSync(join(folder, name), 'utf8'))
    })
    const about = { type: 'lines' as const, run: this.#run, stream: 'results' }
    return entries.length === 0 ? [] : [{ ...about, entries }]
  }
}

/** A folder from elsewhere may hold pipes and devices, which never end. */
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

const lineEnd = 10

function readBytes(path: string, begin: number, end: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, end - begin))
  const file = openSync(path, 'r')
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, begin))
  } finally {
    closeSync(file)
  }
}

/** The object of a line; a line that a crash cut short is left out. */
function entryOf(line: string): Entry[] {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? [value] : []
  } catch {
    return []
  }
}

function inParts(entries: readonly Entry[]): (readonly Entry[])[] {
  const count = Math.max(1, Math.ceil(entries.length / linesInMessage))
  return Array.from({ length: count }, (_, i) => entries.slice(i * linesInMessage, (i + 1) * linesInMessage))
}
