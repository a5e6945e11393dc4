import { operator, type SourceItem } from '../../engine/operator.ts'
import { dirname } from '../../engine/platform/paths.ts'
import { inside } from '../../engine/shared/inside.ts'
import { resolvePath } from '../builtin.ts'
import type { Message, Sample } from '../kinds.ts'
import { nameInside } from './clip-name.ts'
import { epochFields, inEpochs, itemsInPasses } from './epochs.ts'
import { inspectSamples } from './inspect-samples.ts'
import { placesOfItems } from './item-lines.ts'
import { ReadError } from './read-error.ts'
import {
  expectObject,
  found,
  foundIn,
  lineRows,
  parseJson,
  type Row,
  RowFault,
  readText,
  rowsMemory,
  samplesOf,
} from './rows.ts'

export default operator({
  summary: 'Reads conversations about clips or pictures, as one JSON array or one JSON object a line.',
  config: {
    path: {
      type: 'string',
      reads: 'data',
      description:
        'Objects with `video`, or `image` for a picture, and `conversations`, a list of messages with `from` and `value`.',
    },
    ...epochFields,
    repeatUntil: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description: 'Where `epochs` is 0: items after which it ends; 0 never ends it.',
    },
  },
  inputs: {},
  outputs: { samples: 'sample' },
  memory: ({ path }) => rowsMemory(path),
  makes: (settings, rows) => itemsInPasses(passesOf(settings), rows),
  inspect: (settings, known) =>
    inspectSamples(
      { ...settings, ...passesOf(settings) },
      () => readConversations(settings),
      'conversations',
      known,
    ),
  run: (_inputs, settings, context) => ({
    samples: context.source<Sample>(async function* () {
      yield* inEpochs(await readConversations(settings), passesOf(settings), context, 'conversations')
    }),
  }),
})

interface Passes {
  shuffle: boolean
  epochs: number
  limit: number
  repeatUntil: number
}

const passesOf = ({ shuffle, epochs, limit, repeatUntil }: Passes) => {
  return { shuffle, epochs, limit: epochs === 0 && limit === 0 ? repeatUntil : limit }
}

async function readConversations({
  path,
  root,
}: {
  path: string
  root: string
}): Promise<SourceItem<Sample>[]> {
  const file = resolvePath(path)
  return parseConversations(file, await readText(file), root ? resolvePath(root) : dirname(file))
}

/**
 * The samples of a file, keyed by their index in the array or by line number. Throws one error, with a line for each of
 * the first problems.
 */
export const parseConversations = (file: string, text: string, root: string): SourceItem<Sample>[] =>
  samplesOf(file, rowsOf(file, text), row => sampleOf(row, root), {
    bad: 'bad-conversation',
    none: 'no-conversations',
    what: 'conversation',
  })

function rowsOf(file: string, text: string): Row[] {
  if (!text.trimStart().startsWith('[')) return lineRows(file, text, false)
  const list = parseJson(text, value => (Array.isArray(value) ? value : 'must be an array'))
  if (typeof list === 'string') throw new ReadError('bad-conversation', `${file}: ${list}`)
  const places = placesOfItems(file, text)
  return list.map((row: unknown, i) => ({
    key: String(i),
    where: places[i] ?? file,
    row: expectObject(row),
  }))
}

/** The sample, or the fault of the row. */
function sampleOf(row: Record<string, unknown>, root: string): Sample | RowFault {
  const { video, image, conversations, ...fields } = row
  const isPicture = image !== undefined && image !== null
  if (isPicture && video !== undefined && video !== null)
    return new RowFault('image: must stand without "video": a conversation is about one of the two', '')
  // a picture is a clip of one frame
  const [name, path] = isPicture ? ['image', image] : ['video', video]
  if (typeof path !== 'string') return new RowFault(`${name}: must be text`, foundIn(row, name))
  if (!Array.isArray(conversations) || conversations.length === 0)
    return new RowFault('conversations: must be a list of messages', foundIn(row, 'conversations'))
  const messages: Message[] = []
  for (const [i, message] of conversations.entries()) {
    const { from, value } = Object(message) as Record<string, unknown> // any value has fields, be they undefined
    if (typeof from !== 'string') return new RowFault(`conversations[${i}].from: must be text`, found(from))
    if (typeof value !== 'string')
      return new RowFault(`conversations[${i}].value: must be text`, found(value))
    messages.push({ from, value })
  }
  const asked = messages.find(({ from }) => from === 'human' || from === 'user')
  const question = (asked?.value ?? '').replaceAll('<image>', '').trim()
  const place = nameInside(root, path, name)
  if (place instanceof RowFault) return place
  return { video: inside(root, place), question, conversations: messages, fields }
}
