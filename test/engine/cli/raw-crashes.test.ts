// Mistakes that once ended in the stack of a library, each with what is said now.
import { join } from 'node:path'
import t from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { registry } from '../../../engine/cli/registry.ts'

async function told(...words: string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const say = (line: string) => {
    text += `${line}\n`
  }
  const world = {
    registry,
    environment: {},
    screen: { write: say },
    print: say,
    complain: say,
    prepare: async () => {},
  }
  return { code: await command(words, world), text }
}

const plugin = (config: string) => `
export const api = 1
export const operators = {
  'my.count': { summary: 'Counts.', config: ${config}, inputs: {}, outputs: { items: 'any' }, run: () => ({}) },
}`
const graph = JSON.stringify({
  version: 1,
  summary: 'Counts.',
  plugins: ['./plugin.mjs'],
  nodes: { items: { operator: 'my.count' } },
})

for (const [config, rule] of [
  [
    `{ count: { type: 'int', description: 'Numbers.' } }`,
    /"my.count": config.count.type must be one of number, integer,.* found "int"/,
  ],
  [`{ count: { type: 'integer' } }`, /"my.count": config.count must have a description, found undefined/],
  [`{ count: { type: 'array', description: 'Numbers.' } }`, /config.count.items must have a type/],
  [`{ count: 3 }`, /config.count must be a field with a type and a description, found 3/],
] as const) {
  t.test(`a plugin that declares ${config} is told so by check and by ops`, async t => {
    const folder = t.testdir({ 'g.json': graph, 'plugin.mjs': plugin(config) })
    for (const words of [
      ['check', join(folder, 'g.json')],
      ['ops', '--plugin', join(folder, 'plugin.mjs')],
    ]) {
      const { code, text } = await told(...words)
      t.equal(code, 2, text)
      t.match(text, rule)
    }
  })
}

t.test('ops says that a plugin cannot be loaded', async t => {
  const { code, text } = await told('ops', '--plugin', './not-there.mjs')
  t.equal(code, 2)
  t.match(text, /must be a module that can be loaded, found ".\/not-there.mjs"/)
})

t.test(
  'a sub-graph may be named by an absolute path, and one that is not there is told with its place',
  async t => {
    const folder = t.testdir({
      'rows.jsonl': '{}\n',
      'part.json': JSON.stringify({
        version: 1,
        summary: 'Reads.',
        outputs: { items: 'rows.items' },
        nodes: { rows: { operator: 'read.jsonl', config: { path: 'rows.jsonl' } } },
      }),
    })
    const whole = (part: string) =>
      JSON.stringify({
        version: 1,
        summary: 'Copies.',
        nodes: {
          part: { graph: part },
          file: { operator: 'write.jsonl', config: { path: 'x.jsonl' }, from: { items: 'part.items' } },
        },
      })
    const { writeFileSync } = await import('node:fs')
    for (const [name, code] of [
      ['part.json', 0],
      ['none.json', 2],
    ] as const) {
      const file = join(folder, `whole-${name}`)
      writeFileSync(file, whole(join(folder, name)))
      const { code: found, text } = await told(
        'check',
        file,
        '--format',
        'json',
        '--set',
        `nodes.part/rows.config.path=${join(folder, 'rows.jsonl')}`,
      )
      t.equal(found, code, text)
      if (code === 2) t.match(text, /must be a file that can be read/)
    }
  },
)
