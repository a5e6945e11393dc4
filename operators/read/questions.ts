import { operator, type SourceItem } from '../../engine/operator.ts'
import { dirname } from '../../engine/platform/paths.ts'
import { inside, isInside } from '../../engine/shared/inside.ts'
import { resolvePath } from '../builtin.ts'
import type { Sample } from '../kinds.ts'
import { epochFields, inEpochs } from './epochs.ts'
import { inspectSamples } from './inspect-samples.ts'
import { found, lineRows, readText, rowsMemory, samplesOf } from './rows.ts'

export default operator({
  summary:
    'Reads questions about clips from a file with one JSON object a line, as the published training data.',
  config: {
    path: {
      type: 'string',
      reads: 'data',
      description:
        'Lines with `problem`, `video_filename` (starting with `./`) and, for rewards, `solution`.',
    },
    ...epochFields,
  },
  inputs: {},
  outputs: { samples: 'sample' },
  memory: ({ path }) => rowsMemory(path),
  inspect: settings => inspectSamples(settings, () => readQuestions(settings), 'questions'),
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
  return parseQuestions(file, await readText(file), root ? resolvePath(root) : dirname(file))
}

/** The samples of a file, keyed by line number. Throws one error, with a line for each of the first problems. */
export const parseQuestions = (file: string, text: string, root: string): SourceItem<Sample>[] =>
  samplesOf(file, lineRows(file, text), row => sampleOf(row, root), {
    bad: 'bad-question',
    none: 'no-questions',
    what: 'question',
  })

/** The sample, or the fault of the row in words. */
function sampleOf(row: Record<string, unknown>, root: string): Sample | string {
  const { problem, solution, video_filename, ...fields } = row
  if (typeof problem !== 'string') return `problem: must be text, ${found(problem)}`
  if (solution !== undefined && typeof solution !== 'string')
    return `solution: must be text, ${found(solution)}`
  if (typeof video_filename !== 'string') return `video_filename: must be text, ${found(video_filename)}`
  // The published rule: the data's root, then the name without its first character, which is a dot.
  if (!video_filename.startsWith('./')) return `video_filename: must start with ./, ${found(video_filename)}`
  const place = video_filename.slice('./'.length).replace(/^\/+/, '')
  if (!isInside(place)) return `video_filename: must name a file inside ${root}, ${found(video_filename)}`
  const sample = { video: inside(root, place), question: problem, fields }
  return solution === undefined ? sample : { ...sample, solution }
}
