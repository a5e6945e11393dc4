// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
import t from 'tap'
import { checkGraph } from '../../../../engine/graph/check.ts'
import { endName } from '../../../../engine/graph/flatten/flat.ts'
import { describe } from '../../../../engine/graph/problem.ts'
import { startRun } from '../../../../engine/run/run.ts'
import { graphText, testBed } from '../../support.ts'

const part = graphText(
  {
    first: { operator: 'work', config: { copies: '${copies}' } },
    second: { operator: 'double', from: { numbers: 'first.numbers' } },
  },
  {
    params: { copies: { type: 'integer', default: 1, description: 'Copies.' } },
    inputs: { numbers: 'first.numbers' },
    outputs: { doubled: 'second.numbers' },
  },
)

const files =
  (main: string, inner = part) =>
  (name: string) => {
    if (name === 'graphs/g.json') return main
    if (name === 'graphs/parts/p.json') return inner
    throw new Error(`no file ${name}`)
  }

const nodes = (sub: object, from = 'sub.doubled') => ({
  count: { operator: 'range', config: { count: 3 } },
  sub: { graph: './parts/p.json', from: { numbers: 'count.numbers' }, ...sub },
  end: { operator: 'collect', from: { items: from } },
})

t.test('a sub-graph is replaced by its nodes, with prefixed names', async t => {
  const on = testBed()
  const main = graphText(nodes({ params: { copies: 2 } }))
  const { plan, problems } = checkGraph('graphs/g.json', on.registry, { read: files(main) })
  t.same(problems.map(describe), [])
  if (!plan) return
  t.same(
    plan.nodes.map(node => [node.name, node.wires.map(wire => endName(wire.from))]),
    [
      ['count', []],
      ['sub/first', ['count.numbers']],
      ['sub/second', ['sub/first.numbers']],
      ['end', ['sub/second.numbers']],
    ],
  )
  const summary = await startRun(plan, { seed: 0, directory: t.testdir() }).done
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  t.same(on.seen, [0, 0, 2, 2, 4, 4])
  t.equal(on.buffers.live, 0)
})

t.test('--set reaches inside', async t => {
  const { registry } = testBed()
  const set = ['nodes.sub/first.config.concurrency=5']
  const { plan, problems } = checkGraph('graphs/g.json', registry, { set, read: files(graphText(nodes({}))) })
  t.same(problems.map(describe), [])
  t.equal(plan?.nodes.find(node => node.name === 'sub/first')?.config.concurrency, 5)
})

t.test('wrong params, ports and contents are reported where they stand', async t => {
  const { registry } = testBed()
  const sub = {
    params: { copys: 2, copies: -1 },
    from: { numbers: 'count.numbers', nmbers: 'count.numbers' },
  }
  const main = graphText(nodes(sub, 'sub.double'))
  const inner = part.replace('"double"', '"duble"')
  t.same(checkGraph('graphs/g.json', registry, { read: files(main, inner) }).problems.map(describe), [
    'graphs/g.json:1:159 nodes.sub.from.nmbers: must be an input of the sub-graph, found "nmbers" (nearest "numbers")',
    'graphs/g.json:1:203 nodes.sub.params.copys: must name a param of the graph, found copys=2 (nearest "copies")',
    'graphs/g.json:1:263 nodes.end.from.items: must be an output of the sub-graph "sub", found "sub.double" (nearest "doubled")',
    'graphs/parts/p.json:1:240 nodes.first.config.copies: must be >= 0, found -1 (Results for one number.)',
    'graphs/parts/p.json:1:275 nodes.second.operator: must be a known operator, found "duble" (nearest "double")',
  ])
})

t.test('an input of a sub-graph that nothing feeds is an unconnected input', async t => {
  const { registry } = testBed()
  const { problems } = checkGraph('graphs/g.json', registry, { read: files(graphText(nodes({ from: {} }))) })
  t.same(
    problems.map(problem => [problem.code, problem.rule]),
    [['unconnected-input', 'must connect the input "numbers" (kind "number")']],
  )
})

t.test('a resource is looked up in the sub-graph first, then around it', async t => {
  const use = {
    summary: 'Uses boxes.',
    config: {
      near: { type: 'string', resource: 'box', description: 'Box.' },
      far: { type: 'string', resource: 'box', description: 'Box.' },
    },
    inputs: {},
    outputs: {},
    run: () => ({}),
  } as const
  const { registry } = testBed({ operators: { use } })
  const box = (name: string) => ({ resource: 'box', config: { name } })
  const inner = graphText(
    { a: { operator: 'use', config: { near: 'one', far: 'two' } } },
    { resources: { one: box('inner') } },
  )
  const main = graphText(
    { sub: { graph: './parts/p.json' } },
    { resources: { one: box('x'), two: box('y') } },
  )
  const { problems } = checkGraph('graphs/g.json', registry, { read: files(main, inner) })
  t.same(
    problems.map(problem => `${problem.code} ${problem.path}`),
    ['unused-resource resources.one'],
  )
  t.equal(problems[0]?.place?.file, 'graphs/g.json')
})
