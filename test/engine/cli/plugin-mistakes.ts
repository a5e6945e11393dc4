import { checked, file, graph, type Mistake, mistake, rows } from './mistake.ts'

const plugin = (text: string) => `export const api = 1\nexport const operators = { 'my.count': ${text} }\n`
const count = (config: string, rest = '') =>
  plugin(
    `{ summary: 'Counts.', config: ${config}, inputs: {}, outputs: { items: 'any' }, run: () => ({})${rest} }`,
  )
const withPlugin = graph({ items: { operator: 'my.count' } }, { plugins: ['./plugin.mjs'] })

const withModule = (name: string, module: string, file = withPlugin): Mistake =>
  mistake(name, 'check g.json', { 'g.json': file, 'plugin.mjs': module })
const loaded = (name: string, module: string): Mistake =>
  mistake(name, 'ops --plugin ./plugin.mjs', { 'plugin.mjs': module })

/** Mistakes in plugins. */
export const pluginMistakes: readonly Mistake[] = [
  checked('a plugin that is not there', { items: { operator: 'my.count' } }, { plugins: ['./plugin.mjs'] }),
  withModule('a plugin that does not say its version', 'export const operators = {}\n'),
  withModule(
    'a plugin with a type that JSON Schema does not have',
    count("{ n: { type: 'int', description: 'Numbers.' } }"),
  ),
  withModule('a plugin with a field without a description', count("{ n: { type: 'integer' } }")),
  loaded('a plugin that throws when it is loaded', "throw new Error('no key in the environment')\n"),
  loaded('a plugin with a slip of the pen', 'export const api = 1\nexport const operators = {\n'),
  withModule(
    'a plugin with the name of an operator that is there',
    count('{}').replace('my.count', 'read.jsonl'),
    graph({ rows, file }, { plugins: ['./plugin.mjs'] }),
  ),
  withModule(
    'a plugin without run',
    plugin("{ summary: 'Counts.', config: {}, inputs: {}, outputs: { items: 'any' } }"),
  ),
  withModule(
    'a kind whose schema is none',
    "export const api = 1\nexport const kinds = { 'my.caption': { type: 'text' } }\n",
    graph({ rows, file }, { plugins: ['./plugin.mjs'] }),
  ),
]
