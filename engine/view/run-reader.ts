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
import { leadsInto } from '../shared/inside.ts'
import { isObject } from '../shared/json.ts'
import { withShippedNames } from '../shared/shipped-names.ts'
import type { Entry, LinesMessage, Message } from './messages.ts'

/** Most bytes of a stream that are read when a page opens: older lines are left out. */
const mostBytes = 24 << 20
/** Most bytes that are read in one look: what is left comes with the next ones. */
const mostInLook = 8 * mostBytes
/** Lines in one message: the page shows the first ones while others are on their way. */
const linesInMessage = 1000
/** Results of an evaluation in one look. */
const resultsInLook = 500

/** Follows the folder of a run, or of an evaluation's results: each look gives what is new, with the names of commands. */
export class RunReader {
  readonly directory: string
  readonly #run: string
  readonly #most: number
  readonly #texts = new Map<string, string>()
  readonly #offsets = new Map<string, number>()
  readonly #results = new Set<string>()
  /** Bytes that this look may still read. */
  #left = 0

  /** `run` is the name that messages give to it. */
  constructor(directory: string, run: string, most = mostBytes) {
    this.directory = directory
    this.#run = run
    this.#most = most
  }

  /** What the folder holds that the looks before did not give. A file that is being written is left for the next look. */
  look(): Message[] {
    const run = this.#run
    this.#left = mostInLook
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
      if (!this.#isOwn(path) || statSync(path).size > this.#most) return undefined
      const text = readFileSync(path, 'utf8')
      if (text === this.#texts.get(name)) return undefined
      const value = readValue(text)
      this.#texts.set(name, text)
      return value
    } catch {
      return undefined // not there yet, or from a machine that crashed: the page shows the rest
    }
  }

  #streams(): string[] {
    if (!existsSync(this.directory)) return []
    const names = readdirSync(this.directory)
    // at its end an evaluation writes all of `results` into one file, too
    const again = names.includes('results') ? 'results.jsonl' : undefined
    return names.filter(
      name => name.endsWith('.jsonl') && name !== again && this.#isOwn(join(this.directory, name)),
    )
  }

  /** A file that lies in the folder: one from elsewhere may hold pipes and devices, which never end, and links that lead out. */
  #isOwn(path: string): boolean {
    try {
      return statSync(path).isFile() && leadsInto(this.directory, path)
    } catch {
      return false // it is not there, or a link that leads nowhere
    }
  }

  #lines(name: string): LinesMessage[] {
    const path = join(this.directory, name)
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    const before = this.#offsets.get(name)
    const reset = before !== undefined && size < before
    const begin = reset || before === undefined ? Math.max(0, size - this.#most) : before
    if ((size <= begin && !reset) || this.#left === 0) return []
    const bytes = readBytes(path, begin, Math.min(size, begin + Math.min(this.#most, this.#left)))
    this.#left -= bytes.length
    // a line that is longer than what is read is left out
    const whole = bytes.lastIndexOf(lineEnd) + 1
    const end = whole === 0 && bytes.length === this.#most ? bytes.length : whole
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
    const isNew = (name: string) =>
      name.endsWith('.json') && !this.#results.has(name) && this.#isOwn(join(folder, name))
    const names = namesIn(folder).filter(isNew)
    const entries = names.slice(0, resultsInLook).flatMap(name => {
      const path = join(folder, name)
      const { size } = statSync(path)
      if (size > this.#left && size <= this.#most) return []
      this.#results.add(name)
      if (size > this.#most) return []
      this.#left -= size
      return entryOf(readFileSync(path, 'utf8'))
    })
    const about = { type: 'lines' as const, run: this.#run, stream: 'results' }
    return entries.length === 0 ? [] : [{ ...about, entries }]
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // not an evaluation
  }
}

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

/** The value of a JSON text, in which graphs of the package have their short names. */
const readValue = (text: string): unknown => JSON.parse(withShippedNames(text))

/** The object of a line; a line that a crash cut short is left out. */
function entryOf(line: string): Entry[] {
  try {
    const value = readValue(line)
    return isObject(value) ? [value] : []
  } catch {
    return []
  }
}

function inParts(entries: readonly Entry[]): (readonly Entry[])[] {
  const count = Math.max(1, Math.ceil(entries.length / linesInMessage))
  return Array.from({ length: count }, (_, i) => entries.slice(i * linesInMessage, (i + 1) * linesInMessage))
}
