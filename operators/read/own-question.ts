import { existsSync } from '../../engine/platform/files.ts'
import { extname } from '../../engine/platform/paths.ts'
import { inside, isInside } from '../../engine/shared/inside.ts'
import type { Sample } from '../kinds.ts'
import { lettersOf } from './benchmark-rows.ts'
import { choiceWords, letterIn } from './choice-words.ts'
import { optionsIn } from './inline-options.ts'
import { found, lineRows, type Row, readText } from './rows.ts'
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

/** Whether a row has the columns that `flow:eval/own.json` reads, and not those of the published training data. */
export const isOwn = (row: Readonly<Record<string, unknown>>): boolean =>
  row.problem === undefined && row.question !== undefined

/**
 * A question of one's own, in the words that `flow:eval/own.json` asks it: columns video, question, answer (a letter), and the
 * options in a, b, c, …, in a list named options, or in the question. Returns the fault of the row in words.
 */
export function ownSample(row: Readonly<Record<string, unknown>>, root: string): Sample | string {
  const { video, question, options: list, answer, ...rest } = row
  if (typeof question !== 'string') return `question: must be text, ${found(question)}`
  if (typeof video !== 'string' || video === '') return `video: must be text, ${found(video)}`
  const place = video.replace(/^\.\//, '')
  if (!isInside(place)) return `video: must name a file inside ${root}, ${found(video)}`
  const columns = lettersOf(26).map(letter => letter.toLowerCase())
  const cells = columns.slice(
    0,
    columns.findIndex(column => !(column in rest)),
  )
  const options = Array.isArray(list)
    ? list.map(String)
    : cells.map(column => String(rest[column] ?? '')).filter(option => option !== '')
  const fields = Object.fromEntries(Object.entries(rest).filter(([name]) => !cells.includes(name)))
  const letters = lettersOf(options.length > 0 ? options.length : optionsIn(question).length)
  const sample = { video: clipAt(root, place), question: choiceWords(question, options), fields }
  if (answer === undefined || answer === null || answer === '') return sample
  const solution = letterIn(answer, letters)
  if (solution !== undefined) return { ...sample, solution }
  const same = letters[options.indexOf(String(answer))]
  const hint = same === undefined ? '' : `, the text of ${same}: write the letter`
  return `answer: must be the letter of one of ${letters.length} options, ${found(answer)}${hint}`
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
