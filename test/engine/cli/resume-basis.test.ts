// What a run stands on is compared by content when it is resumed: links, nodes with inputs, imports of plugins, clips.
import { appendFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { graphText } from '../support.ts'
import { callerWith } from './caller.ts'

/** Counts, and names a table. */
const rows = operator({
  summary: 'Counts the rows of a table.',
  config: {
    path: { type: 'string', description: 'A table.' },
    root: { type: 'string', default: '', description: 'Where its clips lie.' },
  },
  inputs: {},
  outputs: { numbers: 'number' },
  run: (_, { path }, context) => ({
    numbers: context.source(async function* () {
      const count = readFileSync(path, 'utf8').trim().split('\n').length
      for (let value = 0; value < count; value++) yield { key: String(value), value }
    }),
  }),
})

/** Sees a file that its config names, and writes another. */
const weigh = operator({
  summary: 'Reads weights and writes a list.',
  config: {
    weights: { type: 'string', description: 'A file.' },
    list: { type: 'string', writes: true, description: 'Where it writes.' },
  },
  inputs: { numbers: 'number' },
  outputs: { numbers: { kind: 'number', like: 'numbers' } },
  run: ({ numbers }, { list }, context) => ({
    numbers: numbers.pipe(
      context.each(value => {
        appendFileSync(list, `${value}\n`)
        return value
      }),
    ),
  }),
})

const call = callerWith({ operators: { rows, weigh } })

const table = Array.from({ length: 9 }, (_, i) => `{ "number": ${i}, "clip": "clips/${i % 2}.mp4" }\n`).join(
  '',
)

const swap = (path: string, other: string): [() => void, () => void] => {
  const text = readFileSync(path, 'utf8')
  return [() => writeFileSync(path, other), () => writeFileSync(path, text)]
}

t.test(
  'what decides a resume is compared by content: behind links, in nodes with inputs, in imports',
  async t => {
    const folder = t.testdir({
      'rows.jsonl': table,
      clips: { '0.mp4': 'zero', '1.mp4': 'one' },
      first: { 'weights.txt': 'first' },
      second: { 'weights.txt': 'other' },
      'plugin.mjs':
        'import "./part.mjs"\nimport "flow-part"\nexport const api = 1\nexport const operators = {}\n',
      'part.mjs': 'export const part = 1\n',
      'list.txt': 'before\n',
      node_modules: {
        'flow-part': { 'package.json': '{"name":"flow-part","version":"1.0.0","main":"x.js"}', 'x.js': '' },
      },
    })
    symlinkSync('first', join(folder, 'now'))
    const nodes = {
      rows: { operator: 'rows', config: { path: join(folder, 'rows.jsonl') } },
      weigh: {
        operator: 'weigh',
        config: { weights: join(folder, 'now/weights.txt'), list: join(folder, 'list.txt') },
        from: { numbers: 'rows.numbers' },
      },
      work: { operator: 'work', config: { failAt: 5 }, from: { numbers: 'weigh.numbers' } },
      end: { operator: 'collect', from: { items: 'work.numbers' } },
    }
    const graph = { plugins: ['./plugin.mjs'], checkpoint: { every: 2 } }
    writeFileSync(join(folder, 'g.json'), graphText(nodes, graph))
    const run = join(folder, 'run')
    t.match(await call('run', join(folder, 'g.json'), '--out', run), { code: 1, text: /item "5"/ })
    const resume = () => call('run', '--resume', run, '--set', 'nodes.work.onError=skip')
    const changes: Record<string, [() => void, () => void]> = {
      'weights.txt': [
        () => [rmSync(join(folder, 'now')), symlinkSync('second', join(folder, 'now'))],
        () => [rmSync(join(folder, 'now')), symlinkSync('first', join(folder, 'now'))],
      ],
      '0.mp4': swap(join(folder, 'clips/0.mp4'), 'four'),
      'part.mjs': swap(join(folder, 'part.mjs'), 'export const part = 2\n'),
      'package.json': swap(
        join(folder, 'node_modules/flow-part/package.json'),
        '{"name":"flow-part","version":"1.0.1"}',
      ),
    }
    for (const [name, [change, back]] of Object.entries(changes)) {
      change()
      const { code, text } = await resume()
      t.equal(code, 2, name)
      t.match(text, new RegExp(`${name} was `), name)
      back()
    }
    t.match(await resume(), { code: 0 }, 'what the run itself wrote is no difference')
  },
)

t.test('of the folder in which clips lie, the clips that a table names count, and nothing else', async t => {
  const folder = t.testdir({
    'rows.csv': 'clip,answer\nred,A\nfilms/blue.mp4,A\nframes,B\n',
    'red.mp4': 'red',
    films: { 'blue.mp4': 'blue', 'green.mp4': 'green' },
    frames: { '1.jpg': 'one', 'notes.txt': 'none' },
    'other.json': '{}',
    results: { 'report.html': 'one' },
  })
  const nodes = {
    rows: { operator: 'rows', config: { path: join(folder, 'rows.csv'), root: folder } },
    work: { operator: 'work', config: { failAt: 3 }, from: { numbers: 'rows.numbers' } },
    end: { operator: 'collect', from: { items: 'work.numbers' } },
  }
  writeFileSync(join(folder, 'g.json'), graphText(nodes, { checkpoint: { every: 2 } }))
  const run = join(folder, 'run')
  t.match(await call('run', join(folder, 'g.json'), '--out', run), { code: 1, text: /item "3"/ })
  const resume = () => call('run', '--resume', run, '--set', 'nodes.work.onError=skip')
  for (const name of ['red.mp4', 'films/blue.mp4', 'frames/1.jpg', 'rows.csv']) {
    const [change, back] = swap(join(folder, name), 'another clip')
    change()
    t.match(await resume(), { code: 2, text: new RegExp(`${name} was `) }, name)
    back()
  }
  for (const name of ['films/green.mp4', 'frames/notes.txt', 'other.json', 'results/report.html'])
    writeFileSync(join(folder, name), 'changed')
  t.match(await resume(), { code: 0 })
})
