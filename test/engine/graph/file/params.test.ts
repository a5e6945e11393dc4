// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of graph files.
import t, { type Test } from 'tap'
import { type CheckOptions, checkGraph } from '../../../../engine/graph/check.ts'
import { describe } from '../../../../engine/graph/problem.ts'
import { operator } from '../../../../engine/operator.ts'
import { graphText, testBed } from '../../support.ts'

const all = operator({
  summary: 'Has a field of every type.',
  config: {
    text: { type: 'string', default: '', description: 'Text.' },
    whole: { type: 'integer', default: 0, description: 'Whole.' },
    real: { type: 'number', default: 0, description: 'Real.' },
    flag: { type: 'boolean', default: false, description: 'Flag.' },
    list: { type: 'array', items: { type: 'integer' }, default: [], description: 'List.' },
    object: { type: 'object', default: {}, description: 'Object.' },
  },
  inputs: {},
  outputs: { any: 'any' },
  run: () => ({}),
})
const { registry } = testBed({ operators: { all } })

/** The config of the only node, after params; problems fail the test. */
function configOf(t: Test, config: object, params: object, options: CheckOptions = {}) {
  const text = graphText({ a: { operator: 'all', config } }, { params })
  const { plan, problems } = checkGraph('g.json', registry, { ...options, read: () => text })
  t.same(problems.map(describe), [])
  return plan?.nodes[0].config
}

const param = (type: string, value?: unknown, rest: object = {}) => ({
  type,
  description: 'A param.',
  ...(value !== undefined && { default: value }),
  ...rest,
})

t.test('a whole string becomes the value, in pieces it becomes text', async t => {
  const config = {
    whole: '${n}',
    text: 'n=${n}, ${s}/${s}',
    flag: '${b}',
    list: '${l}',
    object: { deep: ['${n}'] },
  }
  const params = {
    n: param('integer', 3),
    s: param('string', 'x'),
    b: param('boolean', true),
    l: param('array', [1, 2]),
  }
  t.match(configOf(t, config, params), {
    whole: 3,
    text: 'n=3, x/x',
    flag: true,
    list: [1, 2],
    object: { deep: [3] },
  })
})

t.test('a value takes the type of the field that it is put in', async t => {
  const config = { text: '${n}', whole: '${s}', real: '${s}', list: ['${s}', 4] }
  const params = { n: param('integer', 3), s: param('string', '12') }
  t.match(configOf(t, config, params), { text: '3', whole: 12, real: 12, list: [12, 4] })
})

t.test('a text that was not a param keeps its type', async t => {
  const text = graphText({ a: { operator: 'all', config: { whole: '12' } } })
  t.match(
    checkGraph('g.json', registry, { read: () => text }).problems.map(problem => problem.rule),
    ['must be a whole number'],
  )
})

t.test('--set gives params and paths, read as the type that they need', async t => {
  const set = [
    'n=5',
    'nodes.a.config.flag=true',
    'nodes.a.config.list=[7,8]',
    'nodes.a.config.text=12',
    'nodes.a.config.real=-1e-3',
  ]
  t.match(configOf(t, { whole: '${n}' }, { n: param('integer', 3) }, { set }), {
    whole: 5,
    flag: true,
    list: [7, 8],
    text: '12',
    real: -0.001,
  })
})

t.test('--set reaches a config that the file leaves out, a list and an edge', async t => {
  const text = graphText({
    a: { operator: 'range', config: { count: 1 } },
    b: { operator: 'collect', from: { items: { edge: 'a.numbers', capacity: { items: 2 } } } },
    c: { operator: 'all' },
    d: { operator: 'all', config: { list: [1, 2] } },
  })
  const set = ['nodes.c.config.whole=4', 'nodes.d.config.list.1=9', 'nodes.b.from.items.capacity.items=7']
  const { plan, problems } = checkGraph('g.json', registry, { set, read: () => text })
  t.same(problems.map(describe), [])
  t.equal(plan?.nodes[2].config.whole, 4)
  t.same(plan?.nodes[3].config.list, [1, 9])
  t.same(plan?.nodes[1].wires[0].capacity, { items: 7, bytes: 1_073_741_824 })
})

t.test('a param may choose the operator and the edge', async t => {
  const params = { which: param('string', 'all'), port: param('string', 'a.any') }
  const text = graphText(
    { a: { operator: '${which}' }, b: { operator: 'collect', from: { items: '${port}' } } },
    { params },
  )
  const { plan } = checkGraph('g.json', registry, { read: () => text })
  t.equal(plan?.nodes[0].operatorName, 'all')
  t.same(plan?.nodes[1].wires[0].from, { node: 'a', port: 'any' })
})

t.test('the environment gives a declared param, after --set and before the default', async t => {
  const params = { n: param('integer', 1, { env: 'COUNT' }) }
  t.match(configOf(t, { whole: '${n}' }, params), { whole: 1 })
  const environment = { COUNT: '2' }
  t.match(configOf(t, { whole: '${n}', text: 'x${env:COUNT}' }, params, { environment }), {
    whole: 2,
    text: 'x2',
  })
  t.match(configOf(t, { whole: '${n}' }, params, { environment, set: ['n=3'] }), { whole: 3 })
})

t.test('what the environment gave is neither in the manifest nor in messages', async t => {
  const params = { key: param('string', '', { env: 'KEY' }) }
  const text = graphText({ a: { operator: 'all', config: { text: '${key}' } } }, { params })
  const options = { environment: { KEY: 'secret' }, read: () => text }
  const { plan } = checkGraph('g.json', registry, options)
  t.equal(plan?.nodes[0].config.text, 'secret')
  t.notMatch(JSON.stringify([plan?.shown, plan?.params]), 'secret')
  const wrong = graphText({ a: { operator: 'all', config: { whole: '${key}' } } }, { params })
  const { problems } = checkGraph('g.json', registry, { ...options, read: () => wrong })
  t.same(problems.map(describe), ['g.json:1:168 nodes.a.config.whole: must be a whole number (Whole.)'])
})

t.test('params keep to their own rules', async t => {
  const params = { n: param('integer', 3, { minimum: 2 }), c: param('string', 'a', { enum: ['a', 'bb'] }) }
  const text = graphText({ a: { operator: 'all', config: { whole: '${n}', text: '${c}' } } }, { params })
  const { problems } = checkGraph('g.json', registry, { set: ['n=1', 'c=bbb'], read: () => text })
  t.same(problems.map(describe), [
    '--set n=1: must be >= 2, found "1" (A param.)',
    '--set c=bbb: must be one of "a", "bb", found "bbb" (A param.)',
  ])
})

t.test(
  'a param may be the product of others unless it is given; a value that differs is a warning',
  async t => {
    const whole = { type: 'integer', description: 'A number.' }
    const params = {
      all: { ...whole, product: ['updates', 'each', 2] },
      updates: { ...whole, default: 3 },
      each: { ...whole, default: 4 },
    }
    const text = graphText(
      { a: { operator: 'all', config: { whole: '${all}', list: ['${updates}', '${each}'] } } },
      { params },
    )
    const check = (...set: string[]) => {
      const { plan, problems, warnings } = checkGraph('g.json', registry, { set, read: () => text })
      t.same(problems.map(describe), [])
      const differing = warnings.filter(({ code }) => code === 'differs')
      return [plan?.nodes[0].config.whole, differing.map(({ rule, found }) => [rule, found])]
    }
    t.same(check(), [24, []])
    t.same(check('updates=1'), [8, []], 'it follows from what is given')
    t.same(check('updates=1', 'all=8'), [8, []], 'the same value')
    const rule = 'differs from updates · each · 2 = 24'
    t.same(check('all=7'), [7, [[rule, '7']]])
  },
)

t.test('a param may be the sum of others unless it is given', async t => {
  const whole = { type: 'integer', minimum: 0, description: 'A number.' }
  const params = { less: { ...whole, sum: ['each', -1] }, each: { ...whole, default: 4 } }
  const text = graphText(
    { a: { operator: 'all', config: { whole: '${less}', list: ['${each}'] } } },
    { params },
  )
  const check = (...set: string[]) => {
    const { plan, problems, warnings } = checkGraph('g.json', registry, { set, read: () => text })
    t.same(problems.map(describe), [])
    const differing = warnings.filter(({ code }) => code === 'differs')
    return [plan?.nodes[0].config.whole, differing.length]
  }
  t.same(check(), [3, 0])
  t.same(check('each=1'), [0, 0], 'it follows from what is given')
  t.same(check('less=7'), [7, 0], 'another value is a choice')
})

t.test('null is no value of a param: it is told so, and what the param is without it', async t => {
  const reported = (params: object, set: string[] = [], config: object = { text: '${s}', whole: '${n}' }) =>
    checkGraph('g.json', registry, {
      set,
      read: () => graphText({ a: { operator: 'all', config } }, { params }),
    }).problems.map(problem => `${describe(problem).replace(/^g.json:[\d:]+ /, '')}; ${problem.remedy}`)
  const params = { n: param('integer', 3), s: param('string', 'x') }
  t.same(reported(params, ['n=null', 's=null']), [
    '--set n=null: must be a whole number, found "null" (A param.); write a whole number, or leave this out: then it is 3',
    '--set s=null: must be a string, found "null" (A param.); write a string, or leave this out: then it is "x"',
  ])
  t.same(reported({ n: param('integer', 3), s: param('string') }, ['s=null']), [
    '--set s=null: must be a string, found "null" (A param.); write a string, or leave this out: then it must be given by --set',
  ])
  t.same(reported({ n: { ...param('integer'), default: null }, s: param('string', 'null') }), [
    'params.n.default: must be a whole number, found null (A param.); write a whole number, or leave this out: then it must be given by --set',
  ])
  t.same(
    reported({ n: null, s: param('string', 'x') }),
    ['params.n: must be an object, found null; write an object'],
    'the places that use it are not told as well',
  )
  t.same(reported(params, ['nodes.a.config.text=null']), [
    '--set nodes.a.config.text=null: must be a value: only a graph that extends another one removes a key, with null, found null; leave it out for what the graph states, or write a value',
  ])
})

t.test(
  'a param that an extending graph removes, and that is still used, is told with that graph',
  async t => {
    const base = graphText(
      { a: { operator: 'all', config: { whole: '${n}' } } },
      { params: { n: param('integer', 1) } },
    )
    const changes = JSON.stringify({ extends: './base.json', summary: 'X.', params: { n: null } })
    const read = (file: string) => (file === 'g.json' ? changes : base)
    const [problem, ...more] = checkGraph('g.json', registry, { read }).problems
    t.same(more, [])
    t.match(problem, {
      code: 'unknown-param',
      path: 'nodes.a.config.whole',
      remedy: 'change this value, too, or keep the param, which g.json removes with null',
    })
  },
)
