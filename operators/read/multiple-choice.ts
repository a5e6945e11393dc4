import { basename, dirname, extname } from 'node:path'
import { operator } from '../../engine/operator.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { resolvePath } from '../builtin.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { clipFinder, type FindClip } from './benchmark-folder.ts'
import { idOf, lettersOf, text } from './benchmark-rows.ts'
import { choiceQuestion } from './choice-question.ts'
import { letterIn } from './choice-words.ts'
import { optionsIn } from './inline-options.ts'
import { clipPlaces } from './own-question.ts'
import { ReadError } from './read-error.ts'
import { found } from './rows.ts'
import { type PlacedRow, readTable } from './table.ts'

const config = {
  ...benchmarkFields,
  path: {
    type: 'string',
    reads: 'data',
    description:
      'File of the questions: .csv or .tsv with names in the first line, .json, .jsonl or .parquet.',
  },
  clips: {
    type: 'string',
    default: '',
    description: 'Folder that the names of clips start from; empty for the folder of the file.',
  },
  name: {
    type: 'string',
    default: '',
    description: "Name of the benchmark in ids and reports; empty for the file's name.",
  },
  id: {
    type: 'string',
    default: '',
    description: 'Column of the ids; empty: the number of the row, from 0.',
  },
  video: { type: 'string', default: 'video', description: 'Column of the names of the clips.' },
  question: { type: 'string', default: 'question', description: 'Column of the questions.' },
  options: {
    type: 'array',
    items: { type: 'string' },
    default: ['options'],
    description:
      'Columns of the options, in order: or one column that holds a list of them. An empty list: they are in the question, as (A) or A.',
  },
  answer: {
    type: 'string',
    default: 'answer',
    description: 'Column of the true answers; empty: they are not known.',
  },
  answers: {
    type: 'string',
    enum: ['letter', 'text', 'index', 'number'],
    default: 'letter',
    description:
      'What the answers are: a letter, the text of an option, its index from 0, or its number from 1.',
  },
  task: {
    type: 'string',
    default: '',
    description: 'Column of the task that a question belongs to; empty: all are one task.',
  },
} as const

type Settings = Parameters<typeof readMultipleChoice>[0]

export default operator({
  summary:
    'Reads multiple-choice questions of your own, to evaluate a model, from a table whose columns the config names. To train on them: read.questions.',
  config,
  inputs: {},
  outputs: { samples: 'sample', benchmark: 'benchmark' },
  inspect: (settings, known) =>
    inspectBenchmark(
      { ...settings, path: clipsOf(settings) },
      asked => readMultipleChoice({ ...asked, path: resolvePath(settings.path) }),
      known,
    ),
  run: (_, settings, context) =>
    benchmarkStreams(context, { ...settings, path: clipsOf(settings) }, asked =>
      readMultipleChoice({ ...asked, path: resolvePath(settings.path) }),
    ),
})

const clipsOf = ({ path, clips }: { path: string; clips: string }): string =>
  clips || dirname(resolvePath(path))

export async function readMultipleChoice(settings: {
  path: string
  clips: string
  name: string
  id: string
  video: string
  question: string
  options: readonly string[]
  answer: string
  answers: 'letter' | 'text' | 'index' | 'number'
  task: string
  instruction: string
}): Promise<ReadBenchmark> {
  const { path } = settings
  const name = settings.name || basename(path, extname(path))
  const rows = await readTable(path)
  if (rows.length === 0) throw new ReadError('no-questions', `${path}: no question in it`)
  checkColumns(rows, settings)
  const find = clipFinder(clipsOf(settings))
  const questions = rows.map((row, i) => questionOf(row, String(i), name, { ...settings, find }))
  return { name, headline: 'micro', questions, excluded: [], findings: [] }
}

/** Throws when no row has a column that the config names: then the names are wrong, not the rows. */
function checkColumns(
  rows: readonly PlacedRow[],
  { path, video, question, options, answer, id, task }: Settings,
): void {
  const named = [video, question, ...options, answer, id, task].filter(column => column !== '')
  const there = [...new Set(rows.flatMap(({ row }) => Object.keys(row)))]
  const lacking = named.filter(column => !there.includes(column))
  if (lacking.length === 0) return
  throw new ReadError(
    'no-column',
    `${path}: must have the columns ${named.join(', ')}, which the config names; ${lacking.join(', ')} ${lacking.length === 1 ? 'is' : 'are'} missing, found ${namesOf(there)}`,
  )
}

/** The first of many names, for a message. */
const namesOf = (names: readonly string[]): string =>
  names.length > 50 ? `${names.slice(0, 50).join(', ')} and ${names.length - 50} more` : names.join(', ')

function questionOf(
  { where, row }: PlacedRow,
  number: string,
  benchmark: string,
  settings: Settings & { find: FindClip },
) {
  const words = text(row, settings.question, where)
  const options = optionsOf({ where, row }, settings, words)
  const isInside = settings.options.length === 0
  const name = idOf(row, settings.video, where)
  const answer = answerOf(row[settings.answer], options, settings)
  if (answer === null && row[settings.answer] !== null && row[settings.answer] !== undefined)
    throw new ReadError(
      'bad-question',
      `${where}: ${settings.answer} must be the ${settings.answers} of one of ${options.length} options, ${found(row[settings.answer])}`,
    )
  const question = choiceQuestion({
    benchmark,
    id: settings.id === '' ? number : idOf(row, settings.id, where),
    root: clipsOf(settings),
    video: clipOf(name, where, settings.find),
    question: words,
    options,
    answer,
    tasks: [settings.task === '' ? 'all' : idOf(row, settings.task, where)],
    instruction: settings.instruction,
  })
  // the options are in the question already
  return isInside ? { ...question, question: `${words}\n${settings.instruction}` } : question
}

function clipOf(name: string, where: string, find: FindClip): string {
  try {
    return find(clipPlaces(name))
  } catch (error) {
    throw new ReadError('bad-question', `${where}: ${messageOf(error)}`, { cause: error })
  }
}

function optionsOf({ where, row }: PlacedRow, { options: columns }: Settings, words: string): string[] {
  const [only] = columns
  const value = only === undefined ? undefined : row[only]
  const list =
    only === undefined
      ? optionsIn(words).map(option => option.words)
      : columns.length === 1 && Array.isArray(value)
        ? value.map(String)
        : columns.map(column => idOf(row, column, where)).filter(option => option !== '')
  if (list.length >= 2) return list
  throw new ReadError(
    'bad-question',
    `${where}: there must be at least two options ${only === undefined ? 'in the question' : `in ${columns.join(', ')}`}, found ${list.length}`,
  )
}

function answerOf(value: unknown, options: readonly string[], { answers }: Settings): string | null {
  const letters = lettersOf(options.length)
  const said = String(value ?? '').trim()
  if (answers === 'letter') return letterIn(value, letters) ?? null
  if (answers === 'text') return letters[options.lastIndexOf(said)] ?? null
  const index = said === '' ? -1 : Number(said) - (answers === 'number' ? 1 : 0)
  return letters[index] ?? null
}
