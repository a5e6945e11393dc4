import { operator, type SourceItem } from '../../engine/operator.ts'
import { dirname } from '../../engine/platform/paths.ts'
import { inside, isInside } from '../../engine/shared/inside.ts'
import { resolvePath } from '../builtin.ts'
import type { Sample } from '../kinds.ts'
import { epochFields, inEpochs } from './epochs.ts'
import { inspectSamples } from './inspect-samples.ts'
import { dataRows, isOwn, ownSample } from './own-question.ts'
import { found, lineRows, type Row, rowsMemory, samplesOf } from './rows.ts'

export default operator({
  summary:
    'Reads questions about clips to train on: JSON lines as the published data, or a table such as flow:eval/own.json reads.',
  config: {
    path: {
      type: 'string',
      reads: 'data',
      description:
        'JSON lines, .csv, .tsv or .parquet with `problem`, `video_filename` (starting with `./`) and, for rewards, `solution`; or with `video`, `question`, the options `a`, `b`, … and, for rewards, `answer`, a letter.',
    },
    ...epochFields,
  },
  inputs: {},
  outputs: { samples: 'sample' },
  memory: ({ path }) => rowsMemory(path),
  inspect: (settings, known) => inspectSamples(settings, () => readQuestions(settings), 'questions', known),
  run: (_inputs, { path, root, ...passes }, context) => ({
    samples: context.source<Sample>(async function* () {
      yield* inEpochs(await readQuestions({ path, root }), passes, context.seed)
    }),
  }),
})

/** The questions of a file, their clips below `root`, or below its folder without one. */
export async function readQuestions({
  path,
  root,
}: {
  path: string
  root: string
}): Promise<SourceItem<Sample>[]> {
  const file = resolvePath(path)
  return questionsOf(file, await dataRows(file), root ? resolvePath(root) : dirname(file))
}

/** The samples of a file, keyed by line number. Throws one error, with a line for each of the first problems. */
export const parseQuestions = (file: string, text: string, root: string): SourceItem<Sample>[] =>
  questionsOf(file, lineRows(file, text), root)

const questionsOf = (file: string, rows: readonly Row[], root: string): SourceItem<Sample>[] =>
  samplesOf(file, rows, row => (isOwn(row) ? ownSample(row, root) : sampleOf(row, root)), {
    bad: 'bad-question',
    none: 'no-questions',
    what: 'question',
  })

/** What other trainers call these fields, or what the row looks like, as a remark. */
function meant(row: Readonly<Record<string, unknown>>): string {
  const [only = '', ...more] = Object.keys(row)
  if (more.length === 0 && only.includes(';'))
    return ' (the columns must be divided by commas, or the file be a .tsv with tabs)'
  if (more.length === 0 && Array.isArray(row[only]))
    return ` (the rows must be lines of their own, or a list without "${only}" around it)`
  if ('prompt' in row) return ' (name "prompt" question: it must be a text without roles and templates)'
  if ('messages' in row || 'conversations' in row)
    return ' (conversations are read by flow:coldstart.json and flow:finetune.json)'
  return ''
}

/** The sample, or the fault of the row in words. */
function sampleOf(row: Record<string, unknown>, root: string): Sample | string {
  const { problem, solution, video_filename, ...fields } = row
  if (problem === undefined && video_filename === undefined)
    return `must have problem and video_filename, or video and question, found ${Object.keys(row).join(', ') || 'no field'}${meant(row)}`
  if (typeof problem !== 'string') return `problem: must be text, ${found(problem)}`
  if (solution !== undefined && typeof solution !== 'string')
    return `solution: must be text, ${found(solution)}`
  if (typeof video_filename !== 'string') return `video_filename: must be text, ${found(video_filename)}`
  // The published rule: the data's root, then the name without its first character, which is a dot.
  if (!video_filename.startsWith('./'))
    return `video_filename: must start with ./, ${found(video_filename)}; names start from the folder of the file, or from root`
  const place = video_filename.slice('./'.length).replace(/^\/+/, '')
  if (!isInside(place)) return `video_filename: must name a file inside ${root}, ${found(video_filename)}`
  const sample = { video: inside(root, place), question: problem, fields }
  return solution === undefined ? sample : { ...sample, solution }
}
