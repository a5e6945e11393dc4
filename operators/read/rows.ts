import { nearest } from '../../engine/graph/did-you-mean.ts'
import type { MemoryUse, SourceItem } from '../../engine/operator.ts'
import { readFile, stat, statSync } from '../../engine/platform/files.ts'
import { codeOf, messageOf, reasonOf } from '../../engine/shared/errors.ts'
import { refuseUnlessFile } from '../../engine/shared/files.ts'
import { isObject } from '../../engine/shared/json.ts'
import { resolvePath } from '../builtin.ts'
import type { Sample } from '../kinds.ts'
import { decodeText } from '../text/decode-text.ts'
import { parseExactJson } from './exact-json.ts'
import { refuseOtherBytes, refuseOtherLines } from './other-form.ts'
import { ReadError } from './read-error.ts'

/** One row of a data file. */
export interface Row {
  key: string
  /** File and line, or file and index. */
  where: string
  /** The object, or its fault in words. */
  row: object | string
}

/** A text is one string, and V8's longest has 2^29 characters. */
const mostText = 2 ** 29 - 2 ** 10

/**
 * The file's text without a byte-order mark; throws `no-file`, `too-large` before it reads anything, and `not-utf8` with the
 * first line that cannot be read.
 */
export async function readText(file: string): Promise<string> {
  refuseUnlessFile(file)
  const failed = (error: unknown): never => {
    if (codeOf(error) === 'EISDIR') throw new ReadError('no-file', `${file}: must be a file, found a folder`)
    throw new ReadError('no-file', `${file}: cannot be read: ${reasonOf(error)}`)
  }
  const { size } = await stat(file).catch(failed)
  if (size > mostText)
    throw new ReadError(
      'too-large',
      `${file}: must be smaller than 512 MiB to be read as a whole, found ${size} bytes`,
    )
  const bytes = await readFile(file).catch(failed)
  refuseOtherBytes(file, bytes)
  const decoded = decodeText(bytes)
  if ('text' in decoded) return decoded.text
  throw notUtf8(`${file}:${decoded.badLine}`)
}

export const notUtf8 = (where: string): ReadError =>
  new ReadError('not-utf8', `${where}: text must be UTF-8; convert the file with iconv -f ENCODING -t UTF-8`)

/** The lines of a text that are not empty, keyed by line number. `isByName`: whether its reader reads other forms, by the file's ending. */
export function lineRows(file: string, text: string, isByName = true): Row[] {
  const rows = text.split('\n').flatMap((line, i): Row[] => {
    if (line.trim() === '') return []
    return [{ key: String(i + 1), where: `${file}:${i + 1}`, row: parseJson(line, expectObject) }]
  })
  if (rows.some(({ row }) => typeof row === 'string')) refuseOtherLines(file, text, isByName)
  return rows
}

/** The value that `expect` returns for a JSON text, or the fault of the text in words. */
export function parseJson<T>(text: string, expect: (value: unknown) => T): T | string {
  try {
    return expect(parseExactJson(text))
  } catch (error) {
    return `not JSON: ${messageOf(error)}`
  }
}

export const expectObject = (value: unknown): object | string =>
  isObject(value)
    ? value
    : `must be an object, found ${Array.isArray(value) ? 'a list: in a list of all rows, name the file .json' : typeof value}`

/** What is wrong with a row: the rule that it breaks, and what was found. Rows that break the same rule are told together. */
export class RowFault {
  readonly rule: string
  readonly found: string

  constructor(rule: string, found: string) {
    this.rule = rule
    this.found = found
  }
}

/** Rules that are told of one file, and further rows of each. */
const mostRules = 10
const shown = 5

/**
 * The samples of rows. `sampleOf` returns the fault of a row; one error is thrown with a line for each rule that rows break,
 * or when there is no row at all: their codes are given. `remedy`: what else to do than to mend them.
 */
export function samplesOf(
  file: string,
  rows: readonly Row[],
  sampleOf: (row: Record<string, unknown>) => Sample | RowFault,
  { bad, none, what, remedy }: { bad: string; none: string; what: string; remedy?: () => string | undefined },
): SourceItem<Sample>[] {
  const samples: SourceItem<Sample>[] = []
  const faults = new Map<string, { where: string; said: string }[]>()
  for (const { key, where, row } of rows) {
    // an object has text keys
    const sample = typeof row === 'string' ? new RowFault(row, '') : sampleOf(row as Record<string, unknown>)
    if (sample instanceof RowFault) {
      const { rule, found } = sample
      const said = `${where}: ${rule}${found && `, ${found}`}`
      faults.set(rule, [...(faults.get(rule) ?? []), { where, said }])
    } else samples.push({ key, value: sample, place: where })
  }
  if (faults.size > 0) {
    const lines = [...faults.values()].map(([first, ...others]) => {
      const more = others.map(({ where }) => where.slice(file.length).replace(/^:\s*/, ''))
      const said = `; ${others.length + 1} of ${rows.length} rows break this rule, also ${listed(more)}`
      return (first?.said ?? '') + (more.length > 0 ? said : '')
    })
    const left = lines.length > mostRules ? [`… and ${lines.length - mostRules} other rules`] : []
    const instead = remedy?.()
    throw new ReadError(
      bad,
      [...lines.slice(0, mostRules), ...left].join('\n'),
      instead === undefined ? {} : { remedy: instead },
    )
  }
  if (samples.length === 0) throw new ReadError(none, `${file}: no ${what} in it`)
  return samples
}

/** The first of many places in a file: `lines 4, 7, …`. */
function listed(places: readonly string[]): string {
  const first = places.slice(0, shown).join(', ') + (places.length > shown ? ', …' : '')
  const areLines = places.every(place => /^\d+$/.test(place))
  return areLines ? `line${places.length === 1 ? '' : 's'} ${first}` : first
}

/** What was found instead, for messages: of a long value its begin. */
export function found(value: unknown): string {
  if (value === undefined) return 'it is missing'
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value)
  return `found ${text.length > mostShown ? `${text.slice(0, mostShown)}… (${text.length} characters)` : text}`
}

const mostShown = 200

/** The same of a field that may be missing; with the field of the row that was most likely meant by its name. */
export function foundIn(row: Readonly<Record<string, unknown>>, name: string): string {
  return found(row[name]) + (row[name] === undefined ? renameHint(row, name) : '')
}

/** The field of a row that was most likely meant by a name, as the end of a message. */
export function renameHint(row: Readonly<Record<string, unknown>>, name: string): string {
  const meant = nearest(name, Object.keys(row))
  return meant === undefined ? '' : `; is the field "${meant}" meant? rename it to "${name}"`
}

/** The text of a file and the objects parsed from it. */
export const rowsMemory = (path: string): MemoryUse[] => [
  { what: 'rows of the file', bytes: 3 * statSync(resolvePath(path)).size, device: 'host' },
]
