// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../../../../engine/graph/check.ts'
import { readSettings } from '../../../../engine/graph/file/settings.ts'
import { endName } from '../../../../engine/graph/flatten/flat.ts'
import { describe } from '../../../../engine/graph/problem.ts'
import { resolvedGraph } from '../../../../engine/graph/resolved.ts'
import { packageFolder } from '../../../../engine/shared/package-folder.ts'
import { testBed } from '../../support.ts'

const { registry } = testBed()

/** Three numbers, copied and collected. One line a part, so that positions are easy to read. */
const base = [
  '{',
  '  "version": 1, "summary": "Copies.",',
  '  "params": { "copies": { "type": "integer", "default": 2, "description": "Copies." } },',
  '  "nodes": {',
  '    "count": { "operator": "range", "config": { "count": 3 } },',
  '    "work": {',
  '      "operator": "work",',
  '      "config": { "copies": "${copies}", "concurrency": 4 },',
  '      "from": { "numbers": "count.numbers" }',
  '    },',
  '    "end": { "operator": "collect", "from": { "items": "work.numbers" } }',
  '  }',
  '}',
].join('\n')

/** Checks the first of some files, given by path. */
function check(files: Readonly<Record<string, string>>, set: readonly string[] = []) {
  const read = (path: string) => {
    const text = files[path]
    if (text === undefined) throw new Error(`no file ${path}`)
    return text
  }
  const [file = ''] = Object.keys(files)
  const { plan, problems } = checkGraph(file, registry, { read, set })
  return { plan, problems: problems.map(describe), codes: problems.map(({ code }) => code) }
}

const configOf = ({ plan }: ReturnType<typeof check>, name: string) =>
  plan?.nodes.find(node => node.name === name)?.config

t.test('a file states only what differs from the one that it extends', async t => {
  const changed = check({
    'd.json':
      '{ "extends": "g.json", "summary": "Copies thrice.", "nodes": { "work": { "config": { "copies": 3 } } },' +
      ' "params": null }',
    'g.json': base,
  })
  t.same(changed.problems, [])
  t.equal(changed.plan?.summary, 'Copies thrice.')
  t.match(configOf(changed, 'work'), { copies: 3, concurrency: 4 })
  t.same(
    changed.plan?.nodes.map(({ name }) => name),
    ['count', 'work', 'end'],
  )
})

t.test('null removes a key, a list is replaced as a whole, and new keys come last', async t => {
  const changed = check({
    'd.json': JSON.stringify({
      extends: 'g.json',
      nodes: {
        work: null,
        end: { from: { items: ['more.numbers', 'count.numbers'] } },
        more: { operator: 'range', config: { count: 1 } },
      },
      params: { copies: null },
    }),
    'g.json': base,
  })
  t.same(changed.problems, [])
  t.same(
    changed.plan?.nodes.map(({ name, wires }) => [name, wires.map(({ from }) => endName(from))]),
    [
      ['count', []],
      ['end', ['more.numbers', 'count.numbers']],
      ['more', []],
    ],
  )
})

t.test('null removes a field, which then has its default or is missing', async t => {
  const files = (config: string) => ({
    'd.json': `{ "extends": "g.json",\n "nodes": { ${config} } }`,
    'g.json': base,
  })
  t.match(configOf(check(files('"work": { "config": { "concurrency": null } }')), 'work'), { concurrency: 1 })
  t.same(check(files('"count": { "config": { "count": null } }')).problems, [
    'd.json:2:24 nodes.count.config: must have "count" (How many numbers.)',
  ])
})

t.test('an error names the file and the line that the value comes from, through two levels', async t => {
  const middle = '{\n  "extends": "g.json",\n  "nodes": { "work": { "config": { "concurrency": 0 } } }\n}'
  const top =
    '{\n  "extends": "m.json",\n\n  "nodes": { "end": { "from": { "itms": "count.numbers" } },\n  "count": { "config": { "cont": 1 } } }\n}'
  const wrong = base.replace('"count": 3', '"count": -3').replace('"default": 2', '"default": "two"')
  t.same(check({ 'd.json': top, 'm.json': middle, 'g.json': wrong }).problems, [
    'd.json:4:33 nodes.end.from.itms: must be an input of "collect", found "itms" (nearest "items")',
    'd.json:5:26 nodes.count.config.cont: must be a known key, found "cont" (nearest "count")',
    'm.json:3:51 nodes.work.config.concurrency: must be >= 1, found 0 (At a time.)',
    'g.json:3:57 params.copies.default: must be a whole number, found "two" (Copies.)',
    'g.json:5:58 nodes.count.config.count: must be >= 0, found -3 (How many numbers.)',
  ])
})

t.test('a file that a graph extends must be there, be a graph, and not lead back to itself', async t => {
  t.same(check({ 'd.json': '{\n "extends": "no.json" }' }).problems, [
    'd.json:2:13 extends: must be a file that can be read, found "no.json" (no file no.json)',
  ])
  t.same(check({ 'd.json': '{ "extends": 3 }' }).problems, [
    'd.json:1:14 extends: must be the path of a graph file, found 3',
  ])
  t.same(check({ 'd.json': '{ "extends": "g.json" }', 'g.json': '[\n]' }).problems, [
    'g.json:1:1: must be a JSON object, found []',
  ])
  t.same(check({ 'd.json': '{ "extends": "g.json" }', 'g.json': '{\n  "version": 1,\n}' }).problems, [
    'g.json:2:15: must not end an object: a comma stands between two values',
  ])
  const circle = check({
    'a/d.json': '{ "extends": "../g.json" }',
    'g.json': '{\n "extends": "./b/e.json" }',
    'b/e.json': '{ "extends": "../a/../g.json" }',
  })
  t.same(circle.problems, [
    'b/e.json:1:14 extends: must not extend itself, found a/d.json → g.json → b/e.json → g.json',
  ])
  t.same(circle.codes, ['bad-extends'])
})

t.test('paths of sub-graphs and plugins stay relative to the file that has them', async t => {
  const part = JSON.stringify({
    version: 1,
    summary: 'Copies.',
    inputs: { numbers: 'copy.numbers' },
    outputs: { numbers: 'copy.numbers' },
    nodes: { copy: { operator: 'work' } },
  })
  const whole = base.replace(
    /"operator": "work",\s*"config": \{[^}]*\} *\{?[^\n]*\n/,
    '"graph": "./parts/part.json",\n',
  )
  const result = check({
    'graphs/more/deep/d.json': '{ "extends": "../../g.json", "params": null }',
    'graphs/g.json': whole,
    'graphs/parts/part.json': part,
  })
  t.same(result.problems, [])
  t.same(
    result.plan?.nodes.map(({ name }) => name),
    ['count', 'work/copy', 'end'],
  )
  const shown = result.plan && resolvedGraph(result.plan, readSettings([]).settings)
  t.match(shown, { nodes: { work: { graph: '../../parts/part.json' } } })
})

t.test('a sub-graph may extend another', async t => {
  const part = JSON.stringify({
    version: 1,
    summary: 'Copies.',
    inputs: { numbers: 'copy.numbers' },
    outputs: { numbers: 'copy.numbers' },
    nodes: { copy: { operator: 'work' } },
  })
  const main = {
    version: 1,
    summary: 'Counts.',
    nodes: {
      count: { operator: 'range', config: { count: 3 } },
      sub: { graph: 'parts/two.json', from: { numbers: 'count.numbers' } },
      end: { operator: 'collect', from: { items: 'sub.numbers' } },
    },
  }
  const files = (copies: number) => ({
    'g.json': JSON.stringify(main),
    'parts/two.json': `{ "extends": "one.json",\n "nodes": { "copy": { "config": { "copies": ${copies} } } } }`,
    'parts/one.json': part,
  })
  t.match(configOf(check(files(2)), 'sub/copy'), { copies: 2 })
  t.match(configOf(check(files(2), ['nodes.sub/copy.config.copies=5']), 'sub/copy'), { copies: 5 })
  t.same(check(files(-2)).problems, [
    'parts/two.json:2:45 nodes.copy.config.copies: must be >= 0, found -2 (Results for one number.)',
  ])
})

t.test('--set reaches params and paths that only the base states', async t => {
  const files = { 'd.json': '{ "extends": "g.json" }', 'g.json': base }
  const changed = check(files, ['copies=7', 'nodes.work.config.concurrency=9'])
  t.match(configOf(changed, 'work'), { copies: 7, concurrency: 9 })
})

t.test('the resolved graph is one file that says the same, settings included', async t => {
  const files = {
    'd.json':
      '{ "$schema": "s.json", "extends": "g.json", "nodes": { "count": { "config": { "count": 5 } } } }',
    'g.json': base.replace('{', '{ "$schema": "other.json",'),
  }
  const set = ['copies=7', 'nodes.work.config.concurrency=9', 'nodes.work.config.failAt=2']
  const before = check(files, set)
  const resolved = before.plan && resolvedGraph(before.plan, readSettings(set).settings)
  t.same(Object.keys(resolved ?? {}), ['$schema', 'version', 'summary', 'params', 'nodes'])
  t.match(resolved, { $schema: 's.json', params: { copies: { default: 7 } } })
  t.match(resolved, { nodes: { work: { config: { copies: '${copies}', concurrency: 9, failAt: 2 } } } })
  const again = check({ 'resolved.json': JSON.stringify(resolved) })
  t.same(again.problems, [])
  t.same(
    again.plan?.nodes.map(({ config }) => config),
    before.plan?.nodes.map(({ config }) => config),
  )
})

t.test('a list of graphs to extend is refused: a graph extends one base only', async t => {
  const found = check({ 'd.json': '{ "extends": ["g.json", "h.json"] }', 'g.json': base, 'h.json': base })
  t.same(found.problems, [
    'd.json:1:14 extends: must be the path of one graph file: a graph extends one base only, found ["g.json","h.json"]',
  ])
})

t.test('flow:NAME is a graph of flow, in files and in what extends them from another folder', async t => {
  const shipped = join(packageFolder, 'graphs', 'shipped.json')
  const found = check({
    'd.json': '{ "extends": "a/e.json" }',
    'a/e.json': '{ "extends": "flow:shipped.json", "nodes": { "count": { "config": { "count": 5 } } } }',
    [shipped]: base,
  })
  t.same(found.problems, [])
  t.equal(found.plan?.nodes.find(({ name }) => name === 'count')?.config.count, 5)
})

t.test('a device is not extended: it may never end', async t => {
  t.same(check({ 'd.json': '{ "extends": "/dev/null" }' }).problems, [
    'd.json:1:14 extends: must be a file that can be read, found "/dev/null" (not a regular file)',
  ])
})

t.test(
  'a node that gets another operator: the fix for what it inherits is written into the file that changes it',
  async t => {
    const files = {
      'my.json':
        '{ "extends": "g.json", "summary": "Replaces.", "nodes": { "work": { "operator": "double", "config": { "copies": null } } } }',
      'g.json': base,
    }
    const read = (path: string) => files[path as keyof typeof files] ?? ''
    const { problems } = checkGraph('my.json', registry, { read, set: [] })
    const remedies = problems.map(({ path, remedy }) => `${path}: ${remedy}`)
    for (const wanted of [
      '"config": { "concurrency": null } at nodes.work in my.json',
      '"params": { "copies": null } in my.json',
    ])
      t.ok(
        remedies.some(text => text.endsWith(wanted) || text.includes(`${wanted};`)),
        remedies.join('\n'),
      )
  },
)
