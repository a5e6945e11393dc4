import { join } from 'node:path'
import t from 'tap'
import { checkGraph, loadGraph } from '../../../engine/graph/check.ts'
import { cutParts } from '../../../engine/over/cut.ts'
import { jsonForm } from '../../../engine/wire-form.ts'
import { forms, operators, resources } from '../../../operators/index.ts'
import batch from '../../../operators/stream/batch.ts'
import { repository } from '../../fixtures.ts'
import { graphText, problemsOf, testBed } from '../support.ts'

const registry = { ...testBed({ operators: { batch } }).registry, forms: { number: jsonForm } }
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
