// Names of rewards that a node looks for must be set by a node before it: `flow check` says so, and not the run after an hour.
import t from 'tap'
import { registry } from '../../../../engine/cli/registry.ts'
import { checkGraph } from '../../../../engine/graph/check.ts'
import { describe } from '../../../../engine/graph/problem.ts'
import { operator } from '../../../../engine/operator.ts'
import { reward } from '../../../../operators/reward/reward.ts'

const source = operator({
  summary: 'Stands for model.generate.',
  config: {},
  inputs: {},
  outputs: { groups: 'group' },
  marks: () => ({ anew: true }),
  run: () => ({}),
})
const again = operator({
  summary: 'Stands for a model that writes completions anew to the questions of groups.',
  config: {},
  inputs: { groups: 'group' },
  outputs: { groups: 'group' },
  marks: () => ({ anew: true }),
  run: ({ groups }) => ({ groups }),
})
const unknown = operator({
  summary: 'Reads groups from elsewhere: any reward may be on them.',
  config: {},
  inputs: {},
  outputs: { groups: 'group' },
  run: () => ({}),
})
const silent = operator({
  summary: 'Does not say which rewards it sets.',
  config: {},
  inputs: { groups: 'group' },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }) => ({ groups }),
})
const brief = reward('brief', 'Rewards short completions.', () => 1)
const known = {
  ...registry,
  operators: { ...registry.operators, source, unknown, again, silent, 'my.brief': brief },
  modules: { 'my.brief': 'file:///my.mjs' },
}

/** The problems of a chain of nodes, each an operator with its config. */
const problemsOf = (...chain: readonly (readonly [string, object?])[]): string[] =>
  problemsFrom('source', ...chain)

function problemsFrom(first: string, ...chain: readonly (readonly [string, object?])[]): string[] {
  const nodes = Object.fromEntries(
    [[first] as const, ...chain, ['reward.mean', { name: 'end' }] as const].map(([name, config], i) => [
      `n${i}`,
      {
        operator: name,
        ...(config && { config }),
        ...(i > 0 && { from: { [portOf(name)]: fromOf(chain, i) } }),
      },
    ]),
  )
  const text = JSON.stringify({ version: 1, summary: 'Rewards.', nodes })
  return checkGraph('g.json', known, { read: () => text }).problems.map(problem =>
    describe(problem).replace(/^g\.json:\d+:\d+ /, ''),
  )
}

const portOf = (name: string) => (name.startsWith('stream.') ? 'items' : 'groups')
const fromOf = (chain: readonly (readonly [string, object?])[], i: number) =>
  `n${i - 1}.${portOf(chain[i - 2]?.[0] ?? '')}`

t.test('a reward that no node before sets is refused with the nearest name', t => {
  const rule = 'must name a reward that a node before this one sets'
  const set = '(set before it: accuracy, format)'
  const published = ['reward.accuracy-format'] as const
  for (const [name, config] of [
    ['group.keep', { least: 1, reward: 'acuracy' }],
    ['group.best', { reward: 'acuracy' }],
    ['dpo.pairs', { reward: 'acuracy' }],
    ['grpo.filter', { reward: 'acuracy' }],
  ] as const)
    t.same(problemsOf(published, [name, config]), [`nodes.n2.config.reward: ${rule}, found "acuracy" ${set}`])
  t.same(problemsOf(published, ['grpo.advantage', { rewards: ['format', 'judge'] }]), [
    `nodes.n2.config.rewards.1: ${rule}, found "judge" ${set}`,
  ])
  t.same(problemsOf(['reward.accuracy'], ['reward.sum', { weights: { accuracy: 1, brief: 0.2 } }]), [
    `nodes.n2.config.weights.brief: ${rule}, found "brief" (set before it: accuracy)`,
  ])
  t.same(problemsOf(['group.keep', { least: 1, reward: 'accuracy' }]), [
    `nodes.n1.config.reward: ${rule}, found "accuracy" (no node before it sets any)`,
  ])
  t.same(problemsOf(['reward.accuracy'], ['reward.combine']), [
    `nodes.n2: ${rule}, found "format" (set before it: accuracy)`,
  ])
  t.end()
})

t.test('a combined reward must be set where one is taken', t => {
  const rule = 'must get groups with a combined reward'
  t.same(problemsOf(['reward.accuracy'], ['grpo.advantage']), [`nodes.n2: ${rule} (set before it: accuracy)`])
  t.same(
    problemsOf(['reward.accuracy'], ['my.brief', { weight: 0.2 }]),
    [`nodes.n2: ${rule} (set before it: accuracy)`],
    'what is added to nothing would hide the named ones',
  )
  t.same(problemsOf(['my.brief'], ['grpo.advantage']), [], 'a reward alone is the combined one')
  t.end()
})

t.test('names that are set pass, as do those that cannot be known', t => {
  t.same(
    problemsOf(
      ['reward.accuracy-format'],
      ['group.keep', { least: 1, reward: 'format' }],
      ['grpo.advantage'],
    ),
    [],
  )
  t.same(
    problemsOf(['my.brief', { weight: 0 }], ['reward.sum', { weights: { brief: 1 } }], ['dpo.pairs']),
    [],
  )
  t.same(problemsOf(['group.vote', { name: 'most' }], ['group.best', { reward: 'most' }]), [])
  t.same(problemsOf(['silent'], ['group.best', { reward: 'other' }]), [], 'of an operator that does not say')
  t.same(
    problemsOf(['stream.map', { keep: true, fields: { a: '1' } }], ['group.best', { reward: 'other' }]),
    [],
  )
  t.end()
})

t.test('completions that are written anew have no rewards of those before', t => {
  const rule = 'must name a reward that a node before this one sets'
  t.same(problemsOf(['reward.accuracy'], ['again'], ['group.best', { reward: 'accuracy' }]), [
    `nodes.n3.config.reward: ${rule}, found "accuracy" (no node before it sets any)`,
  ])
  t.same(
    problemsOf(['silent'], ['again'], ['reward.format'], ['group.best', { reward: 'accuracy' }]),
    [`nodes.n4.config.reward: ${rule}, found "accuracy" (set before it: format)`],
    'whatever an operator may have set on the ones before',
  )
  t.end()
})

t.test('operators of flow that hand groups on, or make them, say what they add', t => {
  let told = 0
  for (const [name, { inputs, outputs, marks }] of Object.entries(registry.operators)) {
    const ports = Object.values(outputs).map(port => (typeof port === 'string' ? { kind: port } : port))
    const isAbout = ports.some(port => port.kind === 'group' || (port.kind === 'any' && 'like' in port))
    if (!isAbout || Object.keys(inputs).length === 0) continue
    told++
    t.type(marks, 'function', name)
  }
  t.ok(told > 20, `${told} operators`)
  t.end()
})

t.test('groups from elsewhere may have any reward', t => {
  t.same(problemsFrom('unknown', ['group.keep', { least: 1, reward: 'accuracy' }]), [])
  t.end()
})
