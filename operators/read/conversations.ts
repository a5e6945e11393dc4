import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { operator, type SourceItem } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import type { Message, Sample } from '../kinds.ts'
import { epochFields, inEpochs } from './epochs.ts'
import { ReadError } from './read-error.ts'

export default operator({
  summary: 'Reads conversations about clips, as one JSON array or one JSON object a line.',
  config: {
    path: {
      type: 'string',
      description: 'Objects with `video` and `conversations`, a list of messages with `from` and `value`.',
    },
    ...epochFields,
  },
  inputs: {},
  outputs: { samples: 'sample' },
  run: (_inputs, { path, root, ...passes }, context) => ({
    samples: context.source<Sample>(async function* () {
      const file = resolvePath(path)
      const folder = root ? resolvePath(root) : dirname(file)
      const samples = parseConversations(file, await readText(file), folder)
      yield* inEpochs(samples, passes, context.seed)
    }),
  }),
})

/**
 * The samples of a file, keyed by their index in the array or by line number. Throws one error, with a line for each of
 * the first problems.
 */
export function parseConversations(file: string, text: string, root: string): SourceItem<Sample>[] {
  const samples: SourceItem<Sample>[] = []
  const problems: string[] = []
  for (const { key, where, row } of rowsOf(file, text)) {
    const sample = typeof row === 'string' ? row : sampleOf(row, root)
    if (typeof sample === 'string') problems.push(`${where}: ${sample}`)
    else samples.push({ key, value: sample })
  }
  if (problems.length > 0) {
    const more = problems.length > shown ? [`… and ${problems.length - shown} more`] : []
    throw new ReadError('bad-conversation', [...problems.slice(0, shown), ...more].join('\n'))
  }
  if (samples.length === 0) throw new ReadError('no-conversations', `${file}: no conversation in it`)
  return samples
}

/** Problems told of one file. */
const shown = 10

interface Row {
  key: string
  /** File and line, or file and index. */
  where: string
  /** An object, or what is wrong. */
  row: object | string
}

function rowsOf(file: string, text: string): Row[] {
  if (!text.trimStart().startsWith('[')) {
    return text.split('\n').flatMap((line, i): Row[] => {
      if (line.trim() === '') return []
      return [{ key: String(i + 1), where: `${file}:${i + 1}`, row: parse(line, expectObject) }]
    })
  }
  const list = parse(text, value => (Array.isArray(value) ? value : 'must be an array'))
  if (typeof list === 'string') throw new ReadError('bad-conversation', `${file}: ${list}`)
  return list.map((row: unknown, i) => ({ key: String(i), where: `${file}[${i}]`, row: expectObject(row) }))
}

function parse<T>(text: string, expect: (value: unknown) => T): T | string {
  try {
    return expect(JSON.parse(text))
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`
  }
}

const expectObject = (value: unknown): object | string =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : 'must be an object'

/** The sample, or what is wrong with the row. */
function sampleOf(row: object, root: string): Sample | string {
  const { video, conversations, ...fields } = row as Record<string, unknown> // an object has text keys
  if (typeof video !== 'string') {
    const hint = 'image' in fields ? '; pictures cannot be learned from, only clips' : ''
    return `video: must be text, ${found(video)}${hint}`
  }
  if (!Array.isArray(conversations) || conversations.length === 0)
    return `conversations: must be a list of messages, ${found(conversations)}`
  const messages: Message[] = []
  for (const [i, message] of conversations.entries()) {
    const { from, value } = Object(message) as Record<string, unknown> // any value has fields, be they undefined
    if (typeof from !== 'string') return `conversations[${i}].from: must be text, ${found(from)}`
    if (typeof value !== 'string') return `conversations[${i}].value: must be text, ${found(value)}`
    messages.push({ from, value })
  }
  const asked = messages.find(({ from }) => from === 'human' || from === 'user')
  const question = (asked?.value ?? '').replaceAll('<image>', '').trim()
  return { video: join(root, video), question, conversations: messages, fields }
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
