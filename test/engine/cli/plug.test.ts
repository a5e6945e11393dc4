// Which commands run code that a file names.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { testBed } from '../support.ts'

async function call(...words: string[]) {
  let out = ''
  const say = (line: string) => {
    out += `${line}\n`
  }
  const world = { print: say, complain: say, screen: { write: say }, prepare: async () => {} }
  const code = await command(words, { ...world, registry: testBed().registry, environment: {} })
  return { code, out }
}

/** A plugin that leaves a file when its code runs. */
const telltale = (mark: string) => `
import { appendFileSync } from 'node:fs'
appendFileSync(${JSON.stringify(mark)}, 'x')
export const api = 1
export const operators = {
  'my.count': {
    summary: 'Counts.',
    config: {},
    inputs: {},
    outputs: { numbers: 'number' },
    run: (_, __, context) => ({
      numbers: context.source(async function* () {
        yield { key: '0', value: 0 }
        context.record('metrics', { key: '0', step: 1 })
      }),
    }),
  },
}
`

const graph = (plugins: readonly string[]) =>
  JSON.stringify({
    version: 1,
    summary: 'Counts.',
    plugins,
    nodes: {
      numbers: { operator: 'my.count' },
      out: { operator: 'collect', from: { items: 'numbers.numbers' } },
    },
  })

/** A folder with a graph and its plugin, whose code is executed once in a process. */
function folderWith(t: Test, plugins: readonly string[]) {
  const folder = join(t.testdir({ inner: {} }), 'inner')
  const mark = join(folder, 'mark')
  writeFileSync(join(folder, 'ops.mjs'), telltale(mark))
  writeFileSync(join(folder, 'g.json'), graph(plugins))
  const loaded = () => {
    try {
      return readFileSync(mark, 'utf8').length
    } catch {
      return 0
    }
  }
  return { folder, file: join(folder, 'g.json'), module: join(folder, 'ops.mjs'), loaded }
}

t.test('a verb that looks at a folder runs no code that the folder names', async t => {
  const { folder, loaded } = folderWith(t, ['./ops.mjs'])
  const status = { nodes: [], edges: [], live: {}, gauges: {}, metrics: {}, seconds: 1, ended: true }
  writeFileSync(join(folder, 'status.json'), JSON.stringify(status))
  writeFileSync(
    join(folder, 'manifest.json'),
    JSON.stringify({
      graph: join(folder, 'g.json'),
      seed: 0,
      set: [],
      plugins: [{ name: './ops.mjs', folder }],
    }),
  )
  for (const words of [
    ['top', '--once', folder],
    ['tap', folder, 'out.items'],
    ['compare', folder, folder],
    ['merge', folder, '--out', join(folder, 'whole')],
    ['graph', folder],
    ['diff', folder, folder],
    ['check', folder],
    ['explain', folder],
    ['ops', folder],
    ['ops', join(folder, 'g.json')],
    ['help', folder],
  ]) {
    await call(...words).catch(() => {})
    t.equal(loaded(), 0, words[0])
  }
})

t.test('a module in the folder of a run is loaded only when the command line names it', async t => {
  const { folder, module, loaded } = folderWith(t, [])
  for (const [name, plugins, graphOfRun] of [
    ['link', [{ name: './link.mjs', folder: join(folder, '..') }], graph([])],
    ['graph', [], graph(['./ops.mjs'])],
    ['stored', [{ name: './ops.mjs', folder }], graph([])],
  ] as const) {
    writeFileSync(join(folder, 'inner.json'), graphOfRun)
    if (name === 'link') symlinkSync(module, join(folder, '..', 'link.mjs'))
    const manifest = { graph: join(folder, 'inner.json'), seed: 0, set: [], plugins }
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
    for (const words of [
      ['run', '--resume', folder],
      ['replay', folder, '--item', '0'],
    ]) {
      const { code, out } = await call(...words)
      t.equal(code, 2, name)
      t.match(out, /must not be in the folder of the run, found "\.\/.*mjs"/)
      t.match(out, /fix: {2}--plugin .*mjs loads it, if you trust who made /)
      t.equal(loaded(), 0)
    }
  }
  const here = process.cwd()
  t.teardown(() => process.chdir(here))
  process.chdir(join(folder, '..'))
  const refused = await call('replay', 'inner', '--item', '0')
  const [, word = ''] = /fix: {2}--plugin (\S+) loads it/.exec(refused.out) ?? []
  t.equal(word, './inner/ops.mjs', 'the remedy names a path, not a package')
  const { out } = await call('replay', 'inner', '--item', '0', '--plugin', word)
  t.equal(loaded(), 1)
  t.notMatch(out, /must not be in the folder/)
})

t.test('a graph of the command line and its repetition load their plugins', async t => {
  const { folder, file, loaded } = folderWith(t, ['./ops.mjs'])
  mkdirSync(join(folder, 'runs'))
  const run = join(folder, 'runs', 'one')
  t.match(await call('run', file, '--out', run), { code: 0 })
  t.equal(loaded(), 1)
  const { code, out } = await call('replay', run, '--item', '0')
  t.equal(code, 0, out)
  t.match(out, /1 records: equal/)
})

t.test('--no-plugins checks a graph without its code and names what it left out', async t => {
  const { file, module, loaded } = folderWith(t, ['./ops.mjs'])
  for (const verb of ['check', 'explain', 'graph']) {
    const { code, out } = await call(verb, file, '--no-plugins')
    t.equal(code, 2)
    t.match(out, /nodes\.numbers\.operator: must be a known operator, found "my\.count"/)
    t.equal(loaded(), 0, verb)
  }
  const { out } = await call('check', file, '--no-plugins')
  t.match(out, /g\.json:1:\d+ plugins\.0: is not loaded \(--no-plugins\).*found "\.\/ops\.mjs"/)
  t.match(await call('check', file, '--no-plugins', '--plugin', module), { code: 0 })
  t.equal(loaded(), 1, 'a module of the command line is loaded')
})
