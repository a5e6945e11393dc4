// A run goes on although the module of a plugin lies elsewhere now, under another name perhaps: --plugin says where.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { movedPlugins } from '../../../engine/cli/moved-plugins.ts'
import { graphText } from '../support.ts'
import { callerWith } from './caller.ts'

const call = callerWith()

const plugin = (name: string) => `import { part } from './part.mjs'
export const api = 1
export const operators = {
  '${name}': {
    summary: 'Passes on.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }) => (part, { numbers }),
  },
}
`

/** A stopped run of a graph that names one plugin, with another one of its command line. */
async function stopped(t: Test) {
  const folder = t.testdir({
    'one.mjs': plugin('my.one'),
    'two.mjs': plugin('my.two'),
    'part.mjs': 'export const part = 1\n',
  })
  const nodes = {
    count: { operator: 'range', config: { count: 9 } },
    one: { operator: 'my.one', from: { numbers: 'count.numbers' } },
    two: { operator: 'my.two', from: { numbers: 'one.numbers' } },
    work: { operator: 'work', config: { failAt: 5 }, from: { numbers: 'two.numbers' } },
    end: { operator: 'collect', from: { items: 'work.numbers' } },
  }
  const graph = { plugins: ['./one.mjs'], checkpoint: { every: 2 } }
  writeFileSync(join(folder, 'g.json'), graphText(nodes, graph))
  const run = join(folder, 'run')
  const begun = await call('run', join(folder, 'g.json'), '--out', run, '--plugin', join(folder, 'two.mjs'))
  t.match(begun, { code: 1, text: /item "5"/ })
  mkdirSync(join(folder, 'new'))
  const move = (from: string, to: string) => renameSync(join(folder, from), join(folder, 'new', to))
  const resume = (...words: string[]) => call('run', '--resume', run, ...words)
  return { folder, run, move, resume, at: (name: string) => join(folder, 'new', name) }
}
const skip = ['--set', 'nodes.work.onError=skip']

t.test('modules at a new place, one of another name, go on, and the next resume knows the place', async t => {
  const { run, move, resume, at } = await stopped(t)
  move('one.mjs', 'renamed.mjs')
  move('two.mjs', 'two.mjs')
  move('part.mjs', 'part.mjs')
  const without = await resume(...skip)
  t.equal(without.code, 2)
  t.match(without.text, /must be a module that can be loaded, found "\.\/one\.mjs"/)
  t.match(without.text, /fix: {2}put it back, or say where it is now: --plugin PATH beside --resume/)
  const both = ['--plugin', at('two.mjs'), '--plugin', at('renamed.mjs')]
  const still = await resume(...both)
  t.match(still, { code: 1, text: /item "5"/ }, 'no change is told: what they hold is what it was')
  t.match(await resume(...skip), { code: 0 }, 'the manifest names the new places')
  t.match(JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8')).plugins, [
    { name: at('two.mjs'), instead: /two\.mjs$/ },
    { name: at('renamed.mjs'), instead: /one\.mjs$/ },
  ])
})

t.test('a module at a new place that is not what it was is told, and can be accepted', async t => {
  const { move, resume, at } = await stopped(t)
  move('one.mjs', 'one.mjs')
  writeFileSync(at('part.mjs'), 'export const part = 2\n')
  const where = ['--plugin', at('one.mjs'), ...skip]
  const { code, text } = await resume(...where)
  t.equal(code, 2)
  t.match(text, /part\.mjs was .*, is .* at .*new\/part\.mjs: --accept-changes goes on with them/)
  t.match(await resume(...where, '--accept-changes'), { code: 0, text: /accepted: .*part\.mjs was / })
})

t.test('a module that is gone is the stated one of its name, or the only one left', async t => {
  const folder = t.testdir({ 'a.mjs': '', 'b.mjs': '', 'c.mjs': '', here: { 'still.mjs': '' } })
  const named = (name: string) => ({ name: `./${name}`, folder })
  const pairs = (ofRun: string[], stated: string[]) =>
    movedPlugins(ofRun.map(named), stated.map(named)).map(({ name, instead }) => [instead, name])
  t.same(pairs(['x/a.mjs', 'x/b.mjs'], ['b.mjs', 'a.mjs']), [
    [join(folder, 'x/a.mjs'), './a.mjs'],
    [join(folder, 'x/b.mjs'), './b.mjs'],
  ])
  t.same(pairs(['x/a.mjs', 'x/old.mjs'], ['a.mjs', 'c.mjs']).at(-1), [join(folder, 'x/old.mjs'), './c.mjs'])
  t.same(pairs(['x/old.mjs'], ['a.mjs', 'b.mjs']), [], 'two could be it')
  t.same(pairs(['here/still.mjs'], ['a.mjs']), [], 'it is where it was')
  t.same(pairs(['x/old.mjs'], ['nowhere.mjs']), [], 'the stated one is not there')
})
