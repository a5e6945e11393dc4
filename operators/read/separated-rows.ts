import { CsvError, parse } from 'csv-parse/sync'
import { messageOf } from '../../engine/shared/errors.ts'
import { isObject } from '../../engine/shared/json.ts'
import type { PlacedRow } from './benchmark-rows.ts'
import { ReadError } from './read-error.ts'

/** The rows of a CSV or TSV text, each as an object with the names of the first line and with the line that it begins on. */
export function separatedRows(path: string, text: string, delimiter: string): PlacedRow[] {
  const lines = text.split('\n')
  /** The first line from this one, counted from 1, that is not empty. */
  const filledFrom = (line: number): number => {
    let at = line
    while (at < lines.length && lines[at - 1]?.trim() === '') at++
    return at
  }
  const rows: PlacedRow[] = []
  let [begin, count] = [filledFrom(1), 0]
  const columns = (names: string[]): string[] => {
    refuseTwice(names)
    count = names.length
    begin = filledFrom(begin + 1)
    return names
  }
  const keep = (row: unknown, { lines: end }: { lines: number }): undefined => {
    if (isObject(row)) rows.push({ where: `${path}:${begin}`, row })
    begin = filledFrom(end + 1)
  }
  try {
    parse(text, { columns, delimiter, skip_empty_lines: true, trim: true, on_record: keep })
    return rows
  } catch (error) {
    const { line, fault } = faultOf(error, begin, count)
    throw new ReadError('bad-question', `${path}:${line}: must be a table of values: ${fault}`, {
      remedy: 'write a value with a quote, a comma or a line break in it as "…", with each quote in it twice',
    })
  }
}

function refuseTwice(names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names.filter(Boolean)) {
    if (seen.has(name))
      throw new Error(`the names in its first line must differ, found ${JSON.stringify(name)} twice`)
    seen.add(name)
  }
}

/** What is wrong with the row that begins on a line. The library tells of a quote where it has noticed it, which may be far below. */
function faultOf(error: unknown, begin: number, count: number): { line: number; fault: string } {
  if (!(error instanceof CsvError)) return { line: begin, fault: messageOf(error) }
  const { lines, record } = error as { lines?: unknown; record?: unknown } // fields of the error depend on its code
  const noticed = typeof lines === 'number' ? lines : begin
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return { line: begin, fault: 'the row that begins on this line opens a quote that nothing closes' }
    case 'CSV_INVALID_CLOSING_QUOTE':
      return {
        line: begin,
        fault: `the row that begins on this line closes a quote on line ${noticed}, and the value goes on after it`,
      }
    case 'INVALID_OPENING_QUOTE':
      return { line: noticed, fault: 'a quote stands in a value that does not begin with a quote' }
    case 'CSV_RECORD_INCONSISTENT_COLUMNS': {
      const found = Array.isArray(record) ? record.length : 'another number'
      return {
        line: begin,
        fault: `a row must have ${count} values, as its first line has names, found ${found}`,
      }
    }
    default:
      return { line: noticed, fault: error.message }
  }
}
