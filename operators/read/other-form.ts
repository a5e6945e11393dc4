// Files of another form than their ending says: told as a whole, not line by line.
import { ReadError } from './read-error.ts'

/** What the first bytes of a file say that it is, if it is no text of its encoding. */
export function refuseOtherBytes(path: string, bytes: Uint8Array): void {
  const form = otherBytes(bytes)
  if (form) throw new ReadError('other-form', `${path}: must be text, found ${form.found}`, form)
}

const parquet = 'a Parquet file'
/** A clip, a picture, or a damaged file. */
const binary = { found: 'a binary file', remedy: 'name one of rows: JSON lines, CSV, TSV, Parquet or JSON' }

interface Form {
  found: string
  remedy: string
}

function otherBytes(bytes: Uint8Array): Form | undefined {
  const begins = (...first: number[]) => first.every((byte, i) => bytes[i] === byte)
  if (begins(0x50, 0x41, 0x52, 0x31))
    return { found: parquet, remedy: 'give the file a name that ends in .parquet (read.parquet)' }
  if (begins(0x1f, 0x8b)) return { found: 'data packed by gzip', remedy: 'unpack it: gunzip -c FILE > NAME' }
  if (begins(0x28, 0xb5, 0x2f, 0xfd))
    return { found: 'data packed by zstd', remedy: 'unpack it: zstd -d FILE -o NAME' }
  if (begins(0x50, 0x4b, 3, 4))
    return {
      found: 'a zip archive, which a file of a spreadsheet is, too',
      remedy: 'unpack it, or save the sheet as .csv',
    }
  const head = bytes.subarray(0, 64)
  const zerosAt = (rest: number) => head.filter((byte, i) => i % 2 === rest && byte === 0).length
  const [even, odd] = [zerosAt(0), zerosAt(1)]
  // text of Latin letters has every second byte 0 there; with a mark it is read as it is
  const isMarked = begins(0xff, 0xfe) || begins(0xfe, 0xff)
  if (isMarked) return undefined
  if (Math.min(even, odd) > 0) return binary
  if (Math.max(even, odd) <= head.length / 4) return undefined
  const encoding = odd > even ? 'UTF-16LE' : 'UTF-16BE'
  return {
    found: `${encoding} without a mark`,
    remedy: `convert it: iconv -f ${encoding} -t UTF-8 FILE > NAME`,
  }
}

/**
 * Refuses a file in which a line cannot be read as JSON, if its whole text is of another form. `isByName`: whether the reader reads
 * other forms by the ending of the name.
 */
export function refuseOtherLines(path: string, whole: string, isByName: boolean): void {
  const form = otherLines(whole.trim(), isByName)
  if (!form) return
  throw new ReadError('other-form', `${path}: must hold one JSON value a line, found ${form.found}`, form)
}

function otherLines(text: string, isByName: boolean): Form | undefined {
  const [first = '', second = ''] = firstLines(text)
  if (isJson(first)) return undefined
  if (first.startsWith('[')) {
    // a list with a fault in it is none, but begins as one
    if (first !== '[' && !first.endsWith(',') && !isJson(text)) return undefined
    const name = isByName ? 'give the file a name that ends in .json, or ' : ''
    const lines = "write each of its items as one line: jq -c '.[]' FILE > NAME.jsonl"
    return { found: 'one JSON list', remedy: name + lines }
  }
  if (first.startsWith('{')) {
    if (second === '' || second.startsWith('{')) return undefined
    const remedy = 'write each object as one line: jq -c . FILE > NAME.jsonl'
    return { found: 'JSON that goes over several lines', remedy }
  }
  const separators = first.includes('\t') ? ['tabs', '.tsv'] : first.includes(',') ? ['commas', '.csv'] : []
  const [separator, ending] = separators
  if (separator === undefined) return undefined
  const reader = isByName ? '' : ', and read it by read.csv'
  const remedy = `give the file a name that ends in ${ending}${reader}`
  return { found: `a table whose columns are divided by ${separator}`, remedy }
}

/** Refuses a table, by its first line, that is one of the other kind of separators, or JSON. */
export function refuseOtherTable(path: string, text: string, delimiter: string): void {
  const [first = ''] = firstLines(text)
  const form = otherTable(text, first, delimiter)
  const kind = delimiter === ',' ? 'commas' : 'tabs'
  if (form)
    throw new ReadError(
      'other-form',
      `${path}: must be a table whose columns are divided by ${kind}, found ${form.found}`,
      form,
    )
}

function otherTable(text: string, first: string, delimiter: string): Form | undefined {
  if (first.startsWith('{') && isJson(first))
    return { found: 'a JSON value a line', remedy: 'give the file a name that ends in .jsonl' }
  if (first.startsWith('[') && isJson(text))
    return { found: 'a JSON list', remedy: 'give the file a name that ends in .json' }
  if (first.includes(delimiter)) return undefined
  const other = delimiter === ',' ? '\t' : ','
  if (!first.includes(other)) return undefined
  return other === '\t'
    ? { found: 'tabs', remedy: 'give the file a name that ends in .tsv' }
    : { found: 'commas', remedy: 'give the file a name that ends in .csv' }
}

/** Refuses a file that should be one JSON value, and is none, if it holds one a line, or a table. */
export function refuseLinesInJson(path: string, whole: string): void {
  const [first = '', second = ''] = firstLines(whole)
  const table = /^[[{]/.test(first) ? undefined : otherLines(whole.trim(), true)
  const lines = { found: 'one a line', remedy: 'give the file a name that ends in .jsonl' }
  const form = table ?? (isJson(first) && /^[[{]/.test(second) ? lines : undefined)
  if (form) throw new ReadError('other-form', `${path}: must be one JSON value, found ${form.found}`, form)
}

/** The first lines of a text that are not empty. */
const firstLines = (text: string): string[] =>
  text
    .split('\n', 100)
    .map(line => line.trim())
    .filter(Boolean)

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // what it is instead is looked at next
  }
}

/** What a file is that cannot be read as Parquet, by its first bytes; nothing where it begins as Parquet does. */
export function insteadOfParquet(bytes: Uint8Array): { found: string; remedy: string } | undefined {
  const other = otherBytes(bytes)
  // one of binary numbers is a damaged Parquet file, of which its reader knows more
  if (other) return other.found === parquet || other === binary ? undefined : other
  const isText = bytes.every(byte => byte >= 0x20 || [0x09, 0x0a, 0x0d].includes(byte))
  const remedy = 'give the file a name that ends as its form does: .csv, .tsv, .json or .jsonl'
  return isText && bytes.length > 0 ? { found: 'text', remedy } : undefined
}
