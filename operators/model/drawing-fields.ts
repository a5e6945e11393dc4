import type { Fields } from '../../engine/operator.ts'

/** Fields of operators that draw tokens. */
export const drawingFields = {
  temperature: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'Divides the logits.' },
  topK: {
    type: 'integer',
    minimum: 0,
    default: 50,
    description: 'Draw from the k most likely tokens; 0: from all tokens.',
  },
  topP: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    description: 'Draw from the most likely tokens that together have this probability; 1: from all tokens.',
  },
} as const satisfies Fields

/** The same fields, for operators where `greedy` turns them off. */
export const drawingFieldsUnlessGreedy = {
  temperature: { ...drawingFields.temperature, when: { greedy: false } },
  topK: { ...drawingFields.topK, when: { greedy: false } },
  topP: { ...drawingFields.topP, when: { greedy: false } },
} as const satisfies Fields
