// Questions of one's own: which columns of a row hold the clip, the question, its options and the answer.
import { near } from '../../engine/graph/did-you-mean.ts'
import { lettersOf } from './benchmark-rows.ts'
import { letterIn } from './choice-words.ts'
import { parseExactJson } from './exact-json.ts'
import { ReadError } from './read-error.ts'
import { found, RowFault } from './rows.ts'

export const columnFields = {
  columns: {
    type: 'object',
    default: {},
    description:
      'Your names of the columns, e.g. `{"video": "clip", "question": "q", "options": "choices", "answer": "label"}`; options: a column that holds a list, or a list of columns. Without a name: `video`, `question`, `options` or `a`, `b`, …, `answer`.',
  },
  answerForm: {
    type: 'string',
    enum: ['letter', 'text', 'index', 'number'],
    default: 'letter',
    description:
      'What the answers are: a letter, the text of an option, its index from 0, or its number from 1.',
  },
} as const

export type AnswerForm = 'letter' | 'text' | 'index' | 'number'

/** Names of columns, by what they hold. */
export interface Columns {
  readonly video?: string
  readonly question?: string
  readonly options?: string | readonly string[]
  readonly answer?: string
}

type AnyRow = Readonly<Record<string, unknown>>

/** What the columns of a row hold; `fields` are the others. */
export interface Parts {
  video: unknown
  question: unknown
  options: readonly string[]
  answer: unknown
  fields: AnyRow
  /** The columns that hold the clip, the question and the answer. */
  names: Readonly<Record<'video' | 'question' | 'answer', string>>
}

const held = ['video', 'question', 'options', 'answer']

/** What each part is called where the config does not name it: in a table of one's own, and in the published training data. */
const usual = {
  video: ['video', 'video_filename'],
  question: ['question', 'problem'],
  answer: ['answer', 'solution'],
} as const

/**
 * The columns that a config names. Throws if a name is wrong, or if no row has the columns of the clip and the question: then
 * the names are wrong, not the rows. `remedy`: what to do then.
 */
export function columnsFor(
  file: string,
  rows: readonly AnyRow[],
  stated: Readonly<Record<string, unknown>>,
  remedy: string,
): Columns {
  for (const [what, name] of Object.entries(stated)) {
    const { hint } = near(what, held)
    if (!held.includes(what))
      throw new ReadError('bad-columns', `columns.${what}: must be one of ${held.join(', ')}; ${hint}`)
    const names = what === 'options' && Array.isArray(name) ? name : [name]
    if (names.length > 0 && names.every(one => typeof one === 'string' && one !== '')) continue
    const rule = what === 'options' ? 'the name of a column or a list of names' : 'the name of a column'
    throw new ReadError('bad-columns', `columns.${what}: must be ${rule}, ${found(name)}`)
  }
  // the cast: the names have been looked at
  const columns = stated as Columns
  const there = new Set(rows.flatMap(row => Object.keys(row)))
  const lacking = Object.entries(columns).flatMap(([what, name]) =>
    [name].flat().flatMap(one => (there.has(one) ? [] : [`columns.${what}: no row has a column "${one}"`])),
  )
  const isNamed = lacking.length > 0
  for (const what of ['video', 'question'] as const)
    if (columns[what] === undefined && !usual[what].some(name => there.has(name)))
      lacking.push(`no row has a column ${usual[what].map(name => `"${name}"`).join(' or ')}`)
  if (rows.length === 0 || lacking.length === 0) return columns
  throw new ReadError(
    'no-column',
    `${file}: must have ${isNamed ? 'the columns that are named' : 'a column for the clip and one for the question'}; ${lacking.join('; ')}; its columns are ${namesOf([...there])}`,
    { remedy },
  )
}

/** The first of many names, for a message. */
const namesOf = (names: readonly string[]): string =>
  names.length > 50 ? `${names.slice(0, 50).join(', ')} and ${names.length - 50} more` : names.join(', ')

/** The parts of a row, or what is wrong with its options. */
export function partsOf(row: AnyRow, columns: Columns): Parts | RowFault {
  const columnOf = (what: keyof typeof usual) =>
    columns[what] ?? usual[what].find(name => row[name] !== undefined) ?? usual[what][0]
  const names = { video: columnOf('video'), question: columnOf('question'), answer: columnOf('answer') }
  const cells = columns.options === undefined ? usualCells(row) : [columns.options].flat()
  const options = optionsIn(row, cells)
  if (options instanceof RowFault) return options
  const used = new Set([...Object.values(names), ...cells])
  return {
    video: row[names.video],
    question: row[names.question],
    options,
    answer: row[names.answer],
    fields: Object.fromEntries(Object.entries(row).filter(([name]) => !used.has(name))),
    names,
  }
}

/** The columns of the options where the config names none: `options`, or `a`, `b`, … as far as they go. */
function usualCells(row: AnyRow): string[] {
  if (row.options !== undefined) return ['options']
  const letters = lettersOf(26).map(letter => letter.toLowerCase())
  return letters.slice(
    0,
    letters.findIndex(letter => !(letter in row)),
  )
}

/** The options that a row states; none where they are in the question. */
function optionsIn(row: AnyRow, cells: readonly string[]): string[] | RowFault {
  const [only = ''] = cells
  if (cells.length !== 1) return cells.map(cell => String(row[cell] ?? '')).filter(option => option !== '')
  const list = listIn(row[only])
  if (list) return list.map(String)
  const rule = `${only}: must be a list of options, as JSON in a table, such as ["left", "right"]`
  return new RowFault(rule, found(row[only]))
}

/** A list, also as a JSON text: the cells of a table are texts. No value is a list without options. */
function listIn(value: unknown): readonly unknown[] | undefined {
  if (value === undefined || value === null || value === '') return []
  if (Array.isArray(value)) return value
  try {
    const list: unknown = typeof value === 'string' ? parseExactJson(value) : undefined
    return Array.isArray(list) ? list : undefined
  } catch {
    return undefined
  }
}

/** The letter that an answer means; undefined if it is none of the options. */
export function letterFor(
  answer: unknown,
  options: readonly string[],
  letters: readonly string[],
  form: AnswerForm,
): string | undefined {
  if (form === 'letter') return letterIn(answer, letters)
  const said = String(answer ?? '').trim()
  // of two options that are alike neither is meant more than the other
  if (form === 'text')
    return options.indexOf(said) === options.lastIndexOf(said) ? letters[options.indexOf(said)] : undefined
  const index = said === '' ? -1 : Number(said) - (form === 'number' ? 1 : 0)
  return letters[index]
}

/** What is wrong with an answer that is none of the options. */
export function answerFault(
  answer: unknown,
  options: readonly string[],
  letters: readonly string[],
  form: AnswerForm,
): RowFault {
  const rule = `answer: must be the ${form} of one of ${letters.length} options`
  if (form === 'text' && options.includes(String(answer ?? '').trim()))
    return new RowFault(rule, `${found(answer)}, which is the text of two of them`)
  const other = (['letter', 'text', 'index'] as const).find(
    one => one !== form && letterFor(answer, options, letters, one) !== undefined,
  )
  const meant = {
    letter: '--set answerForm=letter',
    text: '--set answerForm=text',
    index: '--set answerForm=index, or number where they count from 1',
  }
  return new RowFault(
    rule,
    found(answer) + (other === undefined ? '' : `, which is its ${other}: ${meant[other]}`),
  )
}
