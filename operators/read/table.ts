import { extname } from '../../engine/platform/paths.ts'
import { isObject } from '../../engine/shared/json.ts'
import { type PlacedRow, parseJson, type Row, readLines, rowsIn } from './benchmark-rows.ts'
import { placesOfItems } from './item-lines.ts'
import { refuseOtherTable } from './other-form.ts'
import { readParquet } from './parquet.ts'
import { ReadError } from './read-error.ts'
import { readText } from './rows.ts'
import { separatedRows } from './separated-rows.ts'

/** The rows of a file in the form that its ending names: .csv, .tsv, .parquet, .json (an array of objects), else JSON lines. */
export async function readTable(path: string): Promise<PlacedRow[]> {
  switch (extname(path).toLowerCase()) {
    case '.csv':
      return tableRows(path, ',')
    case '.tsv':
      return tableRows(path, '\t')
    case '.parquet':
      return (await readParquet(path)).map((row, i) => ({ where: `${path}: row ${i + 1}`, row }))
    case '.json':
      return readItems(path)
    default:
      return readLines(path)
  }
}

async function tableRows(path: string, delimiter: string): Promise<PlacedRow[]> {
  const text = await readText(path)
  refuseOtherTable(path, text, delimiter)
  return separatedRows(path, text, delimiter)
}

async function readItems(path: string): Promise<PlacedRow[]> {
  const text = await readText(path)
  const rows = rowsIn(path, text)
  const places = placesOfItems(path, text)
  return rows.map((row, i) => ({ where: places[i] ?? path, row }))
}

/** The object in a JSON file. */
export async function readObject(path: string): Promise<Row> {
  const value = parseJson(path, await readText(path))
  if (isObject(value)) return value
  throw new ReadError('bad-question', `${path}: must be a JSON object`)
}
