import type { Schema } from './schema.ts'

/** Items that are away in a part at the same time when the graph does not state a number, and no edge into it lets more pass. */
export const defaultCredits = 16

/** The schema of a part: nodes that other processes may run. */
export const partSchema: Schema = {
  type: 'object',
  required: ['nodes'],
  additionalProperties: false,
  properties: {
    nodes: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', pattern: '\\S' },
      description: 'Names of its nodes; that of a sub-graph means all nodes inside.',
    },
    credits: {
      type: 'integer',
      minimum: 1,
      description: `Items that all its workers together may hold unfinished. Unset: ${defaultCredits}, or as many as the maxLag of an edge into it lets pass, if that is more.`,
    },
  },
}
