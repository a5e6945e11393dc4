import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** A mistake that people make, and the command that it is in; the working directory is a folder with `files`. */
export interface Mistake {
  name: string
  command: readonly string[]
  /** By their paths in the folder. */
  files?: Readonly<Record<string, string | Buffer>>
  /** What else is there: an environment. */
  before?(folder: string): void
}

/** Makes the folder in which a mistake is made, and goes there. */
export function enter(folder: string, { files = {}, before }: Mistake): void {
  process.chdir(folder)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
  before?.(folder)
}

/** A mistake in a command whose words hold no spaces. */
export const mistake = (name: string, command: string, files: Mistake['files'] = {}): Mistake => ({
  name,
  command: command.split(' '),
  files,
})

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
): Mistake => mistake(name, 'check g.json', { ...data, 'g.json': graph(nodes, rest), ...more })
