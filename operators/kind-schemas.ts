import type { Schema } from '../engine/graph/file/schema.ts'

const text = (description: string): Schema => ({ type: 'string', description })
const filled = (description: string): Schema => ({ ...text(description), pattern: '\\S' })

const message: Schema = {
  type: 'object',
  description: 'One turn of a conversation.',
  required: ['from', 'value'],
  properties: { from: filled('Who speaks: human or gpt.'), value: text('What is said.') },
}

const list = (description: string): Schema => ({ type: 'array', description })
const object = (description: string): Schema => ({ type: 'object', description })

const promptFields = {
  sample: object('The question.'),
  text: text('The rendered template.'),
  ids: list('Token ids.'),
  features: object('What the vision tower makes of the clip.'),
}

const completion: Schema = {
  type: 'object',
  description: 'One answer that the model wrote.',
  required: ['ids'],
  properties: {
    ids: list('Token ids.'),
    text: text('The answer as text.'),
    finished: { type: 'boolean', description: 'Not cut at the token limit.' },
    rewards: object('Rewards by name.'),
    reward: { type: 'number', description: 'The combined reward.' },
  },
}

/** What the items of kinds have, by name: schemas/kinds/ holds each of them as a file. */
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
      fields: {
        type: 'object',
        description:
          'The other columns of the row: those that were not read as the clip, the question, its options or the answer.',
        default: {},
      },
    },
  },
  prompt: {
    type: 'object',
    description: 'A question ready for the language model.',
    required: ['sample', 'text', 'ids', 'features'],
    properties: promptFields,
  },
  // Groups from a file need no more for a reward than what it reads of these two.
  group: {
    type: 'object',
    description: 'The completions of one prompt.',
    required: ['prompt', 'completions'],
    properties: {
      prompt: { type: 'object', description: 'What was asked.', properties: promptFields },
      completions: { type: 'array', description: 'The answers to the prompt.', items: completion },
      policyVersion: { type: 'integer', description: 'Updates that the weights had had.', minimum: 0 },
      generateSeconds: { type: 'number', description: 'Seconds that the answers took.' },
    },
  },
  row: { type: 'object', description: 'A row of data about a clip.' },
  version: { type: 'integer', description: 'Updates that the weights have had.', minimum: 0 },
  'checkpoint-folder': { type: 'string', description: 'Path of a checkpoint folder.', pattern: '\\S' },
}
