import type { Schema } from '../engine/graph/file/schema.ts'

const text = (description: string): Schema => ({ type: 'string', description })
const filled = (description: string): Schema => ({ ...text(description), pattern: '\\S' })

const message: Schema = {
  type: 'object',
  description: 'One turn of a conversation.',
  required: ['from', 'value'],
  properties: { from: filled('Who speaks: human or gpt.'), value: text('What is said.') },
}

/** The kinds whose items are plain JSON, by name: schemas/kinds/ holds each of them as a file. */
export const kindSchemas: Readonly<Record<string, Schema>> = {
  sample: {
    type: 'object',
    description: 'One question about one clip, as a data set states it.',
    required: ['video', 'question'],
    properties: {
      video: filled('Path of the clip.'),
      question: text('The question with its lettered options.'),
      solution: text('The true answer: a letter, or <answer> C </answer>.'),
      conversations: {
        type: 'array',
        description: 'A conversation to learn from.',
        minItems: 1,
        items: message,
      },
      fields: { type: 'object', description: 'All other fields of the row.', default: {} },
    },
  },
  row: { type: 'object', description: 'A row of data about a clip.' },
  version: { type: 'integer', description: 'Updates that the weights have had.', minimum: 0 },
  'checkpoint-folder': { type: 'string', description: 'Path of a checkpoint folder.', pattern: '\\S' },
}
