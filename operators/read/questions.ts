import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { operator, type SourceItem } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import type { Sample } from '../kinds.ts'
import { epochFields, inEpochs } from './epochs.ts'
import { ReadError } from './read-error.ts'

export default operator({
  summary:
    'Reads questions about clips from a file with one JSON object a line, as the published training data.',
  config: {
    path: {
      type: 'string',
      description:
        'Lines with `problem`, `video_filename` (starting with `./`) and, for rewards, `solution`.',
    },
    ...epochFields,
  },
  inputs: {},
  outputs: { samples: 'sample' },
  run: (_inputs, { path, root, ...passes }, context) => ({
    samples: context.source<Sample>(async function* () {
      const file = resolvePath(path)
      const samples = parseQuestions(file, await readText(file), root ? resolvePath(root) : dirname(file))
      yield* inEpochs(samples, passes, context.seed)
    }),
  }),
})

/** The samples of a file, keyed by line number. Throws one error, with a line for each of the first problems. */
export function parseQuestions(file: string, text: string, root: string): SourceItem<Sample>[] {
  const samples: SourceItem<Sample>[] = []
  const problems: string[] = []
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const sample = parseLine(line, root)
    if (typeof sample === 'string') problems.push(`${file}:${i + 1}: ${sample}`)
    else samples.push({ key: String(i + 1), value: sample })
  }
  if (problems.length > 0) {
    const more = problems.length > shown ? [`… and ${problems.length - shown} more`] : []
    throw new ReadError('bad-question', [...problems.slice(0, shown), ...more].join('\n'))
  }
  if (samples.length === 0) throw new ReadError('no-questions', `${file}: no question in it`)
  return samples
}

/** Problems told of one file. */
const shown = 10

/** The sample, or what is wrong with the line. */
function parseLine(line: string, root: string): Sample | string {
  let row: unknown
  try {
    row = JSON.parse(line)
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return 'must be an object'
  const { problem, solution, video_filename, ...fields } = row as Record<string, unknown> // an object has text keys
  if (typeof problem !== 'string') return `problem: must be text, ${found(problem)}`
  if (solution !== undefined && typeof solution !== 'string')
    return `solution: must be text, ${found(solution)}`
  if (typeof video_filename !== 'string') return `video_filename: must be text, ${found(video_filename)}`
  // The published rule: the data's root, then the name without its first character, which is a dot.
  if (!video_filename.startsWith('./')) return `video_filename: must start with ./, ${found(video_filename)}`
  const sample = { video: join(root, video_filename.slice(1)), question: problem, fields }
  return solution === undefined ? sample : { ...sample, solution }
}

const found = (value: unknown): string =>
  value === undefined ? 'it is missing' : `found ${JSON.stringify(value)}`

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ReadError('no-file', `${file}: cannot be read: ${reason}`)
  }
}
