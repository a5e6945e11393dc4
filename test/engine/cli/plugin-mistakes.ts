import { checked, file, graph, type Mistake, rows } from './mistake.ts'

const plugin = (text: string) => `export const api = 1\nexport const operators = { 'my.count': ${text} }\n`
const count = (config: string, rest = '') =>
  plugin(
    `{ summary: 'Counts.', config: ${config}, inputs: {}, outputs: { items: 'any' }, run: () => ({})${rest} }`,
  )
const withPlugin = graph({ items: { operator: 'my.count' } }, { plugins: ['./plugin.mjs'] })

/** Mistakes in plugins. */
export const pluginMistakes: readonly Mistake[] = [
  checked('a plugin that is not there', { items: { operator: 'my.count' } }, { plugins: ['./plugin.mjs'] }),
  {
    name: 'a plugin that does not say its version',
    command: ['check', 'g.json'],
    files: { 'g.json': withPlugin, 'plugin.mjs': 'export const operators = {}\n' },
  },
  {
    name: 'a plugin with a type that JSON Schema does not have',
    command: ['check', 'g.json'],
    files: { 'g.json': withPlugin, 'plugin.mjs': count("{ n: { type: 'int', description: 'Numbers.' } }") },
  },
  {
    name: 'a plugin with a field without a description',
    command: ['check', 'g.json'],
    files: { 'g.json': withPlugin, 'plugin.mjs': count("{ n: { type: 'integer' } }") },
  },
  {
    name: 'a plugin that throws when it is loaded',
    command: ['ops', '--plugin', './plugin.mjs'],
    files: { 'plugin.mjs': "throw new Error('no key in the environment')\n" },
  },
  {
    name: 'a plugin with a slip of the pen',
    command: ['ops', '--plugin', './plugin.mjs'],
    files: { 'plugin.mjs': 'export const api = 1\nexport const operators = {\n' },
  },
  {
    name: 'a plugin with the name of an operator that is there',
    command: ['check', 'g.json'],
    files: {
      'g.json': graph({ rows, file }, { plugins: ['./plugin.mjs'] }),
      'plugin.mjs': count('{}').replace('my.count', 'read.jsonl'),
    },
  },
  {
    name: 'a plugin without run',
    command: ['check', 'g.json'],
    files: {
      'g.json': withPlugin,
      'plugin.mjs': plugin("{ summary: 'Counts.', config: {}, inputs: {}, outputs: { items: 'any' } }"),
    },
  },
  {
    name: 'a kind whose schema is none',
    command: ['check', 'g.json'],
    files: {
      'g.json': graph({ rows, file }, { plugins: ['./plugin.mjs'] }),
      'plugin.mjs': "export const api = 1\nexport const kinds = { 'my.caption': { type: 'text' } }\n",
    },
  },
]
