import { messageOf } from '../../engine/shared/errors.ts'
import { isObject } from '../../engine/shared/json.ts'
import type { Finding } from './benchmark-kinds.ts'
import { parseExactJson } from './exact-json.ts'
import { refuseLinesInJson, refuseOtherLines } from './other-form.ts'
import { ReadError } from './read-error.ts'
import { found, readText } from './rows.ts'

// Rows of benchmarks and their fields.

/** The first letters of the alphabet, one for each option: A, B, C, … */
export const lettersOf = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(65 + i))

/** The letter of the last option with this text, as the published scripts take it; null when none has it. */
export function letterOf(options: readonly string[], text: unknown): string | null {
  const at = typeof text === 'string' ? options.lastIndexOf(text) : -1
  return at < 0 ? null : String.fromCharCode(65 + at)
}

export type Row = Readonly<Record<string, unknown>>

/** A row and its place, for messages. */
export interface PlacedRow {
  where: string
  row: Row
}

/** The rows of a JSON file with an array of objects. */
export const readRows = async (path: string): Promise<Row[]> => rowsIn(path, await readText(path))

/** The rows in the text of such a file. */
export function rowsIn(path: string, text: string): Row[] {
  const value = parseJson(path, text, refuseLinesInJson)
  if (Array.isArray(value) && value.every(isObject)) return value
  throw new ReadError('bad-question', `${path}: must be a JSON array of objects`)
}

/** The value of a JSON text; integers above 2^53 are text. `refuse` may say what a text is that is no JSON. */
export function parseJson(
  path: string,
  text: string,
  refuse?: (path: string, text: string) => void,
): unknown {
  try {
    return parseExactJson(text)
  } catch (error) {
    refuse?.(path, text)
    throw new ReadError('bad-question', `${path}: must be JSON: ${messageOf(error)}`)
  }
}

/** The objects of a file with one JSON object a line. */
export async function readLines(path: string): Promise<PlacedRow[]> {
  const whole = await readText(path)
  const refuse = () => refuseOtherLines(path, whole, true)
  return whole.split('\n').flatMap((line, i) => {
    const where = `${path}:${i + 1}`
    const row = line.trim() === '' ? undefined : parseJson(where, line, refuse)
    if (row !== undefined && !isObject(row))
      throw new ReadError('bad-question', `${where}: must be an object`)
    return row === undefined ? [] : [{ where, row }]
  })
}

/** A text field that must be there. */
export function text(row: Row, field: string, where: string): string {
  const value = row[field]
  if (typeof value === 'string') return value
  throw new ReadError('bad-question', `${where}: ${field} must be text, ${found(value)}`)
}

/** A name or number that must be there, as text. */
export function idOf(row: Row, field: string, where: string): string {
  const value = row[field]
  return typeof value === 'number' && Number.isInteger(value) ? String(value) : text(row, field, where)
}

/** A list of texts that must be there. */
export function texts(row: Row, field: string, where: string): string[] {
  const value = row[field]
  if (Array.isArray(value) && value.every(one => typeof one === 'string')) return value
  throw new ReadError('bad-question', `${where}: ${field} must be a list of texts, ${found(value)}`)
}

/** One finding for each field that the reader does not know. */
export function unknownFields(rows: readonly Row[], known: readonly string[], where: string): Finding[] {
  const names = new Set(rows.flatMap(row => Object.keys(row)).filter(name => !known.includes(name)))
  return [...names].map(name => {
    const count = rows.filter(row => name in row).length
    return { code: 'unknown-field', about: `${name} (${where}, ${count} rows)` }
  })
}
