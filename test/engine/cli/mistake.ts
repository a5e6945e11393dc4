/** A mistake that people make, and the command that it is in; the working directory is a folder with `files`. */
export interface Mistake {
  name: string
  command: readonly string[]
  files?: Readonly<Record<string, string>>
  /** What else is there, e.g. an environment. */
  before?(folder: string): void
}

export const graph = (nodes: object, rest: object = {}) =>
  JSON.stringify({ version: 1, summary: 'Copies rows.', ...rest, nodes }, null, 2)
export const rows = { operator: 'read.jsonl', config: { path: 'rows.jsonl' } }
export const file = { operator: 'write.jsonl', config: { path: 'copy.jsonl' }, from: { items: 'rows.items' } }
export const data = { 'rows.jsonl': '{"video": "a.mp4", "question": "What?"}\n{"title": "A cat"}\n' }

/** A graph of the mistake, in g.json, that `flow check` looks at. */
export const checked = (
  name: string,
  nodes: object,
  rest: object = {},
  more: Record<string, string> = {},
): Mistake => ({
  name,
  command: ['check', 'g.json'],
  files: { ...data, 'g.json': graph(nodes, rest), ...more },
})
