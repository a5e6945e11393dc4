import { nearest } from '../../engine/graph/did-you-mean.ts'
import { existsSync } from '../../engine/platform/files.ts'
import { extname } from '../../engine/platform/paths.ts'
import { inside } from '../../engine/shared/inside.ts'
import type { Sample } from '../kinds.ts'
import { lettersOf } from './benchmark-rows.ts'
import { choiceWords } from './choice-words.ts'
import { nameInside } from './clip-name.ts'
import { type AnswerForm, answerFault, type Columns, letterFor, partsOf } from './columns.ts'
import { optionTexts } from './inline-options.ts'
import { foundIn, lineRows, type Row, RowFault, readText } from './rows.ts'
import { readTable } from './table.ts'

/** The rows of training data: those of a table, by its ending, else the JSON lines of a file. */
export async function dataRows(file: string): Promise<readonly Row[]> {
  const ending = extname(file).toLowerCase()
  if (!['.csv', '.tsv', '.parquet'].includes(ending)) {
    const text = await readText(file)
    if (ending !== '.json' || !text.trimStart().startsWith('[')) return lineRows(file, text)
  }
  return (await readTable(file)).map(({ where, row }, i) => ({ key: String(i + 1), where, row }))
}

/** Whether a row is read by its columns, and not as the published training data. */
export const isOwn = (row: Readonly<Record<string, unknown>>, columns: Columns): boolean =>
  Object.keys(columns).length > 0 || (row.problem === undefined && row.question !== undefined)

/**
 * A question of one's own, in the words that `flow:eval/own.json` asks it. Without options, in columns or in the question, the
 * answer is in words. Returns the fault of the row.
 */
export function ownSample(
  row: Readonly<Record<string, unknown>>,
  root: string,
  columns: Columns,
  form: AnswerForm,
): Sample | RowFault {
  const parts = partsOf(row, columns)
  if (parts instanceof RowFault) return parts
  const { video, question, options, answer, fields, names } = parts
  if (typeof question !== 'string')
    return new RowFault('question: must be text', foundIn(row, names.question))
  if (typeof video !== 'string' || video === '')
    return new RowFault('video: must be text', foundIn(row, names.video))
  const place = nameInside(root, video, 'video')
  if (place instanceof RowFault) return place
  const all = optionTexts(question, options)
  const letters = lettersOf(all.length)
  const sample = { video: clipAt(root, place), question: choiceWords(question, options), fields }
  if (answer === undefined || answer === null || answer === '') return sample
  if (all.length === 0) return openSample(sample, answer, row, columns)
  const solution = letterFor(answer, all, letters, form)
  return solution === undefined ? answerFault(answer, all, letters, form) : { ...sample, solution }
}

/** A question that is answered in words. A letter can only be one of options, which have not been found. */
function openSample(
  sample: Sample,
  answer: unknown,
  row: Readonly<Record<string, unknown>>,
  columns: Columns,
): Sample | RowFault {
  const said = String(answer)
  if (!/^\W*[A-Za-z]\W*$/.test(said)) return { ...sample, solution: said }
  const rule = 'options: must be in columns a, b, …, in a list named options, or in the question as A. or (A)'
  const meant = nearest('options', Object.keys(row))
  const setting = `--set columns='${JSON.stringify({ ...columns, options: meant ?? '…' })}'`
  const remedy =
    meant === undefined
      ? `${setting} names others`
      : `is the field "${meant}" meant? rename it to "options", or if all rows have it, ${setting}`
  return new RowFault(rule, `found none, and the answer ${JSON.stringify(said)}; ${remedy}`)
}

/** Where a clip of one's own may lie: in a folder `videos` too, and without the ending .mp4 in the data. */
export const clipPlaces = (name: string): string[] => [
  name,
  `videos/${name}`,
  `${name}.mp4`,
  `videos/${name}.mp4`,
]

/** The path of a clip; its first place where it is in none. */
function clipAt(root: string, name: string): string {
  const places = clipPlaces(name).map(at => inside(root, at))
  return places.find(path => existsSync(path)) ?? inside(root, name)
}
