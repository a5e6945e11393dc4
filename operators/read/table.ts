import { parse } from 'csv-parse/sync'
import { extname } from '../../engine/platform/paths.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { isObject } from '../../engine/shared/json.ts'
import { parseJson, type Row, readLines, readRows } from './benchmark-rows.ts'
import { readParquet } from './parquet.ts'
import { ReadError } from './read-error.ts'
import { readText } from './rows.ts'

/** A row of a table and its place, for messages. */
export interface PlacedRow {
  where: string
  row: Row
}

/** The rows of a file in the form that its ending names: .csv, .tsv, .parquet, .json (an array of objects), else JSON lines. */
export async function readTable(path: string): Promise<PlacedRow[]> {
  switch (extname(path).toLowerCase()) {
    case '.csv':
      return readSeparated(path, ',')
    case '.tsv':
      return readSeparated(path, '\t')
    case '.parquet':
      return placed(path, await readParquet(path))
    case '.json':
      return placed(path, await readRows(path))
    default:
      return readLines(path)
  }
}

const placed = (path: string, rows: readonly Row[]): PlacedRow[] =>
  rows.map((row, i) => ({ where: `${path}: item ${i}`, row }))

/** Each row as an object with the names of the first line. */
async function readSeparated(path: string, delimiter: string): Promise<PlacedRow[]> {
  const text = await readText(path)
  const columns = (names: string[]): string[] => {
    const seen = new Set<string>()
    for (const name of names.filter(Boolean)) {
      if (seen.has(name))
        throw new Error(`the names in its first line must differ, found ${JSON.stringify(name)} twice`)
      seen.add(name)
    }
    return names
  }
  try {
    const options = { columns, delimiter, skip_empty_lines: true, trim: true, info: true } as const
    const rows: unknown = parse(text, options)
    return (Array.isArray(rows) ? rows : []).flatMap(({ record, info }) =>
      isObject(record) ? [{ where: `${path}:${info.lines}`, row: record }] : [],
    )
  } catch (error) {
    throw new ReadError('bad-question', `${path}: must be a table of values: ${messageOf(error)}`)
  }
}

/** The object in a JSON file. */
export async function readObject(path: string): Promise<Row> {
  const value = parseJson(path, await readText(path))
  if (isObject(value)) return value
  throw new ReadError('bad-question', `${path}: must be a JSON object`)
}
