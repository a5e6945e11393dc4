import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { placeInCode } from '../../../engine/graph/code-place.ts'
import { CodedError } from '../../../engine/shared/errors.ts'
import { told } from './told.ts'

t.setTimeout(120_000)
const here = process.cwd()
t.afterEach(() => process.chdir(here))

/** Runs a graph of one node of a plugin over two rows. */
async function ran(folder: string, file: string, text: string, more: Record<string, string> = {}) {
  const nodes = {
    rows: { operator: 'read.jsonl', config: { path: 'rows.jsonl' } },
    mine: { operator: 'my.length', from: { rows: 'rows.items' } },
  }
  const graph = { version: 1, summary: 'Measures rows.', plugins: [`./${file}`], nodes }
  const files = {
    'g.json': JSON.stringify(graph),
    'rows.jsonl': '{"text": "a"}\n{}\n',
    [file]: text,
    ...more,
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  process.chdir(folder)
  return told('run', 'g.json', '--out', 'run')
}

const operators = (work: string) => `export const operators = {
  'my.length': {
    summary: 'Measures.',
    config: {},
    inputs: { rows: 'any' },
    outputs: { lengths: 'any' },
    run: ({ rows }, _, context) => ({ lengths: rows.pipe(context.each(${work})) }),
  },
}
`

t.test('an error of a plugin shows its line and a mark under the column', async t => {
  const text = `export const api = 1\n${operators('row => row.text.length')}`
  const { code, complaints } = await ran(t.testdir({}), 'mine.mjs', text)
  t.equal(code, 1)
  const [said, place, line, mark, ...rest] = complaints.split('\n')
  t.match(
    said,
    /^node "mine" \(my\.length\), item "1:2" \(\S+:2\), seed \d+: Cannot read properties of undefined/,
  )
  t.equal(place, '    in:   mine.mjs:8:87')
  t.equal(
    line,
    '          run: ({ rows }, _, context) => ({ lengths: rows.pipe(context.each(row => row.text.length)) }),',
  )
  t.equal(line?.slice(mark?.indexOf('^')).slice(0, 6), 'length', 'the mark stands under what failed')
  t.same(rest, [''], 'and nothing else is said, nor twice')
})

t.test('a plugin in TypeScript shows the line as it was written', async t => {
  const text = `interface Row { text: string }
export const api = 1
const lengthOf = (row: Row): number => row.text.length
${operators('lengthOf')}`
  const { complaints } = await ran(t.testdir({}), 'mine.ts', text)
  t.match(
    complaints,
    '    in:   mine.ts:3:49\n          const lengthOf = (row: Row): number => row.text.length\n',
  )
})

t.test('an error in a file that a plugin imports, with a cause, shows the place of the cause', async t => {
  const text = `import { lengthOf } from './helper.mjs'\nexport const api = 1\n${operators('lengthOf')}`
  const helper = `export function lengthOf(row) {
  try {
    return row.text.length
  } catch (cause) {
    throw new Error('no text', { cause })
  }
}
`
  const { complaints } = await ran(t.testdir({}), 'mine.mjs', text, { 'helper.mjs': helper })
  t.match(complaints, /: no text\n {4}in: {3}helper\.mjs:3:21\n {10}return row\.text\.length\n/)
})

t.test(
  'a plugin that throws when it is loaded, or cannot be read, shows the line; no run begins',
  async t => {
    const cases = [
      [
        'mine.mjs',
        'export const api = 1\nconst size = missing + 1\n',
        /\(missing is not defined\) \[bad-plugin\]\n {4}in: {3}mine\.mjs:2:14\n {10}const size = missing \+ 1\n/,
      ],
      [
        'mine.ts',
        'export const api = 1\n\nenum Sizes { Small }\n',
        /\(TypeScript enum is not supported .*, at \S*mine\.ts:3\)/,
      ],
      ['other.ts', 'export const api = 1\nconst f = (a: number => 3\n\n', /\(.*, at \S*other\.ts:\d\)/],
    ] as const
    for (const [file, text, found] of cases) {
      const folder = t.testdir({})
      const { code, complaints } = await ran(folder, file, text)
      t.equal(code, 2)
      t.match(complaints, found)
      t.notOk(existsSync(join(folder, 'run')))
    }
  },
)

t.test('an error that flow alone threw has no such place', async t => {
  t.equal(placeInCode(new CodedError('no-file', 'no file')), undefined)
  t.equal(placeInCode('text'), undefined)
})

t.test("packages that flow calls are not somebody's code, wherever they are installed", async t => {
  const thrown = (...files: string[]) =>
    Object.assign(new Error('lost'), {
      stack: ['Error: lost', ...files.map(file => `    at next (${file}:51:18)`)].join('\n'),
    })
  const rxjs = '/home/me/app/node_modules/rxjs/dist/cjs/internal/Subscriber.js'
  t.equal(placeInCode(thrown(rxjs)), undefined)
  t.match(placeInCode(thrown(rxjs, '/home/me/app/mine.mjs'))?.at, 'mine.mjs:51:18')
  t.match(placeInCode(thrown('/home/me/app/node_modules/their-plugin/x.js'))?.at, 'their-plugin/x.js:51:18')
})
