import { operator, type SourceItem } from '../../engine/operator.ts'
import { dirname } from '../../engine/platform/paths.ts'
import { inside } from '../../engine/shared/inside.ts'
import { resolvePath } from '../builtin.ts'
import type { Sample } from '../kinds.ts'
import { nameInside } from './clip-name.ts'
import { type AnswerForm, columnFields, columnsFor } from './columns.ts'
import { epochFields, inEpochs, itemsInPasses } from './epochs.ts'
import { choicesOf, formRemedy, suggestedSetting } from './fitting-form.ts'
import { inspectSamples } from './inspect-samples.ts'
import { dataRows, isOwn, ownSample } from './own-question.ts'
import { found, foundIn, lineRows, type Row, RowFault, renameHint, rowsMemory, samplesOf } from './rows.ts'

export default operator({
  summary:
    'Reads questions about clips to train on: JSON lines as the published data, or a table of your own, whose columns the config names.',
  config: {
    path: {
      type: 'string',
      reads: 'data',
      description:
        'JSON lines, a JSON list (.json), .csv, .tsv or .parquet with `problem`, `video_filename` and, for rewards, `solution`; or with `video`, `question`, the options `a`, `b`, … and, for rewards, `answer`, a letter; or with the columns that `columns` names.',
    },
    ...columnFields,
    ...epochFields,
  },
  inputs: {},
  outputs: { samples: 'sample' },
  memory: ({ path }) => rowsMemory(path),
  makes: itemsInPasses,
  inspect: (settings, known) => inspectSamples(settings, () => readQuestions(settings), 'questions', known),
  run: (_inputs, { shuffle, epochs, limit, ...settings }, context) => ({
    samples: context.source<Sample>(async function* () {
      yield* inEpochs(await readQuestions(settings), { shuffle, epochs, limit }, context, 'questions')
    }),
  }),
})

interface Settings {
  path: string
  root: string
  columns: Readonly<Record<string, unknown>>
  answerForm: AnswerForm
}

/** The questions of a file, their clips below `root`, or below its folder without one. */
export async function readQuestions({ path, root, ...settings }: Settings): Promise<SourceItem<Sample>[]> {
  const file = resolvePath(path)
  return questionsOf(file, await dataRows(file), root ? resolvePath(root) : dirname(file), settings)
}

/** The samples of a file, keyed by line number. Throws one error, with a line for each rule that rows break. */
export const parseQuestions = (file: string, text: string, root: string): SourceItem<Sample>[] =>
  questionsOf(file, lineRows(file, text), root, { columns: {}, answerForm: 'letter' })

function questionsOf(
  file: string,
  rows: readonly Row[],
  root: string,
  { columns: stated, answerForm }: Pick<Settings, 'columns' | 'answerForm'>,
): SourceItem<Sample>[] {
  const whole = rows.flatMap(({ row }) => (typeof row === 'string' ? [] : [row as Record<string, unknown>]))
  const columns = columnsFor(
    file,
    whole,
    stated,
    whole.map(otherForm).find(Boolean) ?? suggestedSetting(whole, stated, answerForm),
  )
  const sampleFrom = (row: Record<string, unknown>) =>
    isOwn(row, columns) ? ownSample(row, root, columns, answerForm) : sampleOf(row, root)
  const own = whole.filter(row => isOwn(row, columns))
  return samplesOf(file, rows, sampleFrom, {
    bad: 'bad-question',
    none: 'no-questions',
    what: 'question',
    remedy: () => formRemedy(choicesOf(own, columns), answerForm),
  })
}

/** What is to be done with a file whose rows have no columns for a question because of their form. */
function otherForm(row: Readonly<Record<string, unknown>>): string | undefined {
  const [only = '', ...more] = Object.keys(row)
  if (more.length === 0 && only.includes(';'))
    return 'divide the columns by commas, or by tabs in a file that ends in .tsv'
  if (more.length === 0 && Array.isArray(row[only]))
    return `make each row a line of its own, or the file a list of them without "${only}" around it`
  if ('messages' in row || 'conversations' in row)
    return 'train on conversations with flow:coldstart.json or flow:finetune.json'
  return undefined
}

/** The sample of a row of the published data, or its fault. */
function sampleOf(row: Record<string, unknown>, root: string): Sample | RowFault {
  const { problem, solution, video_filename, ...fields } = row
  if (problem === undefined && video_filename === undefined) {
    const rule = 'must have problem and video_filename, or video and question'
    const said = row.video === undefined ? '' : renameHint(row, 'question')
    return new RowFault(rule, `found ${Object.keys(row).join(', ') || 'no field'}${said}`)
  }
  if (typeof problem !== 'string') return new RowFault('problem: must be text', foundIn(row, 'problem'))
  if (solution !== undefined && typeof solution !== 'string')
    return new RowFault('solution: must be text', found(solution))
  if (typeof video_filename !== 'string')
    return new RowFault('video_filename: must be text', foundIn(row, 'video_filename'))
  const place = nameInside(root, video_filename, 'video_filename')
  if (place instanceof RowFault) return place
  const sample = { video: inside(root, place), question: problem, fields }
  return solution === undefined ? sample : { ...sample, solution }
}
