import { join } from 'node:path'
import t from 'tap'
import { checkGraph, loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { cutParts } from '../../../engine/over/cut.ts'
import { jsonForm } from '../../../engine/wire-form.ts'
import { forms, operators, resources } from '../../../operators/index.ts'
import batch from '../../../operators/stream/batch.ts'
import { repository } from '../../fixtures.ts'
import { graphText, problemsOf, testBed } from '../support.ts'

/** Is told of versions. */
const follow = operator({
  summary: 'Follows versions.',
  config: {},
  inputs: { numbers: 'number', version: { kind: 'number', optional: true } },
  outputs: { numbers: 'number' },
  run: ({ numbers }) => ({ numbers }),
})
const registry = { ...testBed({ operators: { batch, follow } }).registry, forms: { number: jsonForm } }
const nodes = {
  count: { operator: 'range', config: { count: 4 } },
  work: { operator: 'work', from: { numbers: 'count.numbers' } },
  double: { operator: 'double', from: { numbers: 'work.numbers' } },
  seen: { operator: 'collect', from: { items: 'double.numbers' } },
}
const withParts = (parts: unknown, more: object = {}) => graphText({ ...nodes, ...more }, { parts })

t.test('a part names nodes of the graph, each node is in one part, and sources stay at home', async t => {
  t.same(problemsOf(withParts({ far: { nodes: ['work', 'double'] } }), registry), [])
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [
      { far: { nodes: ['wrok'] } },
      /parts\.far\.nodes\.0: must name nodes of the graph, found "wrok" \(nearest "work"\)/,
    ],
    [
      { far: { nodes: ['work'] }, off: { nodes: ['work'] } },
      /parts\.off\.nodes\.0: must be in one part only, "work" is in "far" too/,
    ],
    [{ far: { nodes: ['count'] } }, /parts\.far\.nodes\.0: must have no source/],
    [{ work: { nodes: ['work'] } }, /parts\.work: must not have the name of a node/],
    [{ far: { nodes: [] } }, /parts\.far\.nodes: /],
    [{ far: { nodes: ['work'], workers: 2 } }, /workers/],
  ]
  for (const [parts, found] of cases) t.match(problemsOf(withParts(parts), registry), [found])
})

t.test('an edge whose kind has no wire form is not cut, and the message says what to do', async t => {
  const text = withParts({ far: { nodes: ['work'] } })
  const { problems } = checkGraph(
    'g.json',
    { ...registry, forms: { sample: jsonForm } },
    { read: () => text },
  )
  t.match(problems, [
    {
      code: 'no-wire-form',
      path: 'nodes.work.from.numbers',
      rule: 'must not lead from the home part to part "far": values of kind "number" cannot travel between processes',
      found: 'count.numbers → work.numbers',
      remedy: /put both nodes into one part, or cut where the kind is one of: sample/,
    },
    { code: 'no-wire-form', path: 'nodes.double.from.numbers', rule: /from part "far" to the home part/ },
  ])
  t.match(problems[0]?.place, { file: 'g.json' })
})

t.test('parts of the command line take the place of those in the file', async t => {
  const text = withParts({ far: { nodes: ['work'] } })
  const plan = loadGraph('g.json', registry, { read: () => text, parts: ['other=double'] })
  t.same(
    plan.parts.map(({ name, nodes }) => [name, ...nodes]),
    [['other', 'double']],
  )
  t.match(problemsOf(text, registry, { parts: ['other'] }), [/--part other: must be NAME=NODE,NODE/])
  t.match(problemsOf(text, registry, { parts: ['other=x'] }), [
    /--part other=x: must name nodes of the graph, found "x"/,
  ])
})

t.test('a node that collects keeps a part from running in several processes, not in one', async t => {
  const more = {
    lists: { operator: 'batch', config: { size: 2 }, from: { items: 'double.numbers' } },
    end: { operator: 'collect', from: { items: 'lists.lists' } },
  }
  const text = withParts({ far: { nodes: ['double', 'lists'] } }, more)
  const any = { ...registry, forms: { number: jsonForm, list: jsonForm } }
  const plan = loadGraph('g.json', any, { read: () => text })
  t.throws(
    () => cutParts(plan, any.forms),
    /must work item by item to run in several processes, found "lists" \(batch\) collects 2/,
  )
  const small = loadGraph('g.json', any, { read: () => text, set: ['nodes.lists.config.size=1'] })
  t.match(cutParts(small, any.forms), [
    {
      name: 'far',
      inputs: [{ end: 'double.numbers' }],
      outputs: [{ end: 'double.numbers' }, { end: 'lists.lists' }],
    },
  ])
})

t.test('the parts of the shipped graphs can be cut', async t => {
  const all = { operators, resources, forms }
  const grpo = loadGraph(join(repository, 'graphs/grpo.json'), all)
  t.match(cutParts(grpo, forms), [
    {
      name: 'rollouts',
      inputs: [
        { end: 'clips.samples', kind: 'sample' },
        { end: 'groups.weights', kind: 'version', latest: true },
      ],
      outputs: [{ end: 'groups.groups', kind: 'group' }],
    },
  ])
  for (const answers of ['oracle', 'constant', 'model']) {
    const set = ['data=x', `answers=${answers}`, 'batch=1']
    const plan = loadGraph(join(repository, 'graphs/eval/mvbench.json'), all, { set })
    t.match(cutParts(plan, forms), [{ name: 'evaluation/asking', outputs: [{ kind: 'result' }] }], answers)
  }
})

t.test('a part may hold as many items as the edges into it let pass, and 16 if they say nothing', async t => {
  const creditsOf = (maxLag: number, part: object) => {
    const graph = {
      ...nodes,
      work: {
        operator: 'follow',
        from: {
          numbers: 'count.numbers',
          version: { edge: 'double.numbers', keep: 'latest', initial: 0, maxLag },
        },
      },
    }
    const plan = loadGraph('g.json', registry, {
      read: () => graphText(graph, { parts: { far: { nodes: ['work'], ...part } } }),
    })
    return plan.parts.map(({ credits }) => credits)
  }
  t.same(creditsOf(3, {}), [16])
  t.same(creditsOf(31, {}), [32])
  t.same(creditsOf(31, { credits: 5 }), [5], 'a stated number holds')
})

t.test(
  'items wait for versions before the node that follows them, where one chain of nodes leads there',
  async t => {
    const gateOf = (more: object, inPart: readonly string[]) => {
      const read = () => graphText({ ...nodes, ...more }, { parts: { far: { nodes: inPart } } })
      const [part] = cutParts(loadGraph('g.json', registry, { read }), { number: jsonForm })
      return part?.gate && `${part.gate.node}.${part.gate.port}`
    }
    const told = { edge: 'seen.numbers', keep: 'latest', initial: 0, maxLag: 1 }
    const seen = { operator: 'double', from: { numbers: 'last.numbers' } }
    const last = (from: object) => ({ operator: 'follow', from: { version: told, ...from } })
    const chain = { seen, last: last({ numbers: 'double.numbers' }) }
    t.equal(gateOf(chain, ['work', 'double', 'last']), 'last.numbers')
    t.equal(gateOf(chain, ['last']), undefined, 'nothing is before it')
    t.equal(gateOf(chain, ['work', 'double']), undefined, 'nothing follows versions')
    const joined = { seen, last: last({ numbers: ['double.numbers', 'work.numbers'] }) }
    t.equal(gateOf(joined, ['work', 'double', 'last']), undefined, 'items of two ways may pass each other')
    const early = {
      seen,
      work: last({ numbers: 'count.numbers' }),
      last: last({ numbers: 'double.numbers' }),
    }
    t.equal(gateOf(early, ['work', 'double', 'last']), undefined, 'two nodes follow versions')
  },
)
