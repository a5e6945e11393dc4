import { basename, dirname, extname } from 'node:path'
import { nearest } from '../../engine/graph/did-you-mean.ts'
import { operator } from '../../engine/operator.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { resolvePath } from '../builtin.ts'
import { questionText, wordingFields } from '../text/prompt.ts'
import { benchmarkFields, benchmarkStreams, inspectBenchmark, type ReadBenchmark } from './benchmark.ts'
import { clipFinder, type FindClip } from './benchmark-folder.ts'
import { idOf, lettersOf, type PlacedRow } from './benchmark-rows.ts'
import { choiceQuestion } from './choice-question.ts'
import { choiceWords } from './choice-words.ts'
import { nameInside } from './clip-name.ts'
import {
  type AnswerForm,
  answerFault,
  type Columns,
  columnFields,
  columnsFor,
  letterFor,
  type Parts,
  partsOf,
} from './columns.ts'
import { choicesOf, columnsSetting, formRemedy, suggestedSetting } from './fitting-form.ts'
import { optionTexts } from './inline-options.ts'
import { shown } from './listed.ts'
import { clipPlaces, isOwn } from './own-question.ts'
import { ReadError } from './read-error.ts'
import { foundIn, RowFault } from './rows.ts'
import { readTable } from './table.ts'

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
    description:
      'Column of the ids; empty: the line of the file, or the number of the row where it has no lines.',
  },
  ...columnFields,
  joint: {
    ...wordingFields.joint,
    description:
      'Text between the question and the instruction. The default is that of training; the published benchmarks have a line feed.',
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
    'Reads multiple-choice questions of your own, to evaluate a model, from a table whose columns the config names. Training reads the same files by read.questions.',
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
  columns: Readonly<Record<string, unknown>>
  answerForm: AnswerForm
  task: string
  instruction: string
  joint: string
}): Promise<ReadBenchmark> {
  const { path } = settings
  const name = settings.name || basename(path, extname(path))
  const table = await readTable(path)
  if (table.length === 0) throw new ReadError('no-questions', `${path}: no question in it`)
  const all = table.map(({ row }) => row)
  const columns = columnsFor(
    path,
    all,
    settings.columns,
    suggestedSetting(all, settings.columns, settings.answerForm),
  )
  const rows = table.map(placed => ({ ...placed, parts: partsOf(placed.row, columns) }))
  refuseUnanswered(rows, path, columns)
  const find = clipFinder(clipsOf(settings))
  const remedy = () => formRemedy(choicesOf(all, columns), settings.answerForm)
  const questions = rows.map(row => questionOf(row, name, { ...settings, columns, find, remedy }))
  const warnings = answersElsewhere(rows, columns, settings.answerForm)
  return { name, headline: 'micro', questions, excluded: [], findings: [], warnings }
}

/** A row, and what its columns hold. */
interface ReadRow extends PlacedRow {
  parts: Parts | RowFault
}

/**
 * Where some rows have an answer, one without is a fault: whatever the model said to it would count as wrong. A file in which no row has
 * one is asked for its answers alone.
 */
function refuseUnanswered(rows: readonly ReadRow[], path: string, columns: Columns): void {
  const name = columns.answer ?? 'answer'
  const lacking = rows.filter(isUnanswered)
  if (lacking.length === 0 || lacking.length === rows.length) return
  const lines = lacking.slice(0, shown).map(({ where, row }) => {
    const meant = meantFor(name, row)
    return `${where}: has no answer${meant === undefined ? '' : `; is "${meant}" meant as its answer?`}`
  })
  const more = lacking.length > shown ? [`… and ${lacking.length - shown} more`] : []
  const why = 'any answer of the model to it would count as wrong and lower the score'
  const said = `${path}: ${lacking.length} of ${rows.length} questions have no right answer: ${why}`
  const remedy = `fill "${name}" in these rows, or leave them out`
  throw new ReadError('no-answer', [said, ...lines, ...more].join('\n'), { remedy })
}

const isUnanswered = ({ parts }: ReadRow): boolean =>
  !(parts instanceof RowFault) && (parts.answer ?? undefined) === undefined

/** The column of a row that was most likely meant by the name of the answer. */
function meantFor(name: string, row: PlacedRow['row']): string | undefined {
  const others = Object.keys(row).filter(one => one !== name)
  return nearest(name, others) ?? nearest('solution', others)
}

/** A file without an answer may be asked for its answers alone, unless a column of it is named much like that of the answers. */
function answersElsewhere(rows: readonly ReadRow[], columns: Columns, form: AnswerForm): string[] {
  const name = columns.answer ?? 'answer'
  const [first] = rows
  const meant = first && meantFor(name, first.row)
  if (meant === undefined || !rows.every(isUnanswered)) return []
  const named = { ...columns, answer: meant }
  const choices = choicesOf(
    rows.map(({ row }) => row),
    named,
  )
  const setting = columnsSetting(named, choices, form)
  return [`no row has an answer in a column "${name}": is the column "${meant}" meant? ${setting}`]
}

function questionOf(
  { where, row, parts }: ReadRow,
  benchmark: string,
  settings: Omit<Settings, 'columns'> & {
    columns: Columns
    find: FindClip
    /** What else to do about an answer that is none of the options than to mend its row. */
    remedy: () => string | undefined
  },
) {
  const refuse = ({ rule, found }: RowFault, remedy?: string): never => {
    const instead = remedy === undefined ? {} : { remedy }
    throw new ReadError('bad-question', `${where}: ${rule}${found && `, ${found}`}`, instead)
  }
  if (parts instanceof RowFault) return refuse(parts)
  const { video, question: words, answer: said, names } = parts
  if (typeof words !== 'string')
    return refuse(new RowFault('question: must be text', foundIn(row, names.question)))
  if (typeof video !== 'string') return refuse(new RowFault('video: must be text', foundIn(row, names.video)))
  const options = optionTexts(words, parts.options)
  if (options.length < 2)
    return refuse(
      new RowFault(
        'options: must be at least two, in columns a, b, …, in a list named options, or in the question',
        `found ${options.length}`,
      ),
    )
  const letters = lettersOf(options.length)
  const answer = letterFor(said, options, letters, settings.answerForm) ?? null
  if (answer === null && said !== null && said !== undefined)
    return refuse(answerFault(said, options, letters, settings.answerForm), settings.remedy())
  const question = choiceQuestion({
    benchmark,
    id: settings.id === '' ? numberIn(where) : idOf(row, settings.id, where),
    root: clipsOf(settings),
    video: clipOf(video, where, settings),
    question: words,
    options,
    answer,
    tasks: [settings.task === '' ? 'all' : idOf(row, settings.task, where)],
    instruction: settings.instruction,
  })
  // as training asks it: read.questions and model.encode
  const asked = isOwn(row, settings.columns) ? choiceWords(words, parts.options) : words
  return { ...question, question: questionText(asked, settings) }
}

/** The line or the number of a row, which its place ends with. */
const numberIn = (where: string): string => /\d+$/.exec(where)?.[0] ?? where

function clipOf(
  name: string,
  where: string,
  settings: Pick<Settings, 'path' | 'clips'> & { find: FindClip },
): string {
  const place = nameInside(clipsOf(settings), name, 'video')
  if (place instanceof RowFault)
    throw new ReadError('bad-question', `${where}: ${place.rule}, ${place.found}`)
  try {
    return settings.find(clipPlaces(place))
  } catch (error) {
    throw new ReadError('bad-question', `${where}: ${messageOf(error)}`, { cause: error })
  }
}
