// The metric of checkpoint.best is one that a node records: those that operators state are those that they record.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeEmbedded } from '../../../../engine/cli/embedded.ts'
import { registry } from '../../../../engine/cli/registry.ts'
import { checkGraph, loadGraph } from '../../../../engine/graph/check.ts'
import { startRun } from '../../../../engine/run/run.ts'
import { repository } from '../../../fixtures.ts'

t.setTimeout(300_000)

const faultOf = (graph: string, best: string, set: readonly string[] = []) => {
  const path = join(repository, 'graphs', graph)
  const { problems } = checkGraph(path, registry, { set: [...set, `checkpoint.best=${best}`] })
  return problems.map(({ path, rule, nearest, found }) => ({ path, rule, nearest, found }))
}

t.test('a metric that no node records is told with the nearest', async t => {
  const rule = 'must be a metric that a node of the graph records'
  const wrong = { path: 'checkpoint.best', rule }
  t.match(faultOf('grpo.json', 'rewards/acuracy'), [
    { ...wrong, found: '"rewards/acuracy"', nearest: 'rewards/accuracy' },
  ])
  t.match(faultOf('presets/evaluated.json', 'eval/acc'), [{ ...wrong, nearest: 'eval/accuracy' }])
  t.match(faultOf('coldstart.json', 'reward'), [wrong])
  t.same(faultOf('grpo.json', 'rewards/accuracy'), [])
  t.same(faultOf('presets/evaluated.json', 'eval/accuracy'), [])
  t.same(faultOf('coldstart.json', 'loss'), [])
  t.same(faultOf('examples/dpo.json', 'dpo/margin'), [])
})

t.test('what runs record is what their operators state', async t => {
  const small = ['steps=1', 'frames=2', 'maxNewTokens=8', 'group=4']
  const runs: readonly (readonly [graph: string, set: readonly string[]])[] = [
    ['presets/evaluated.json', [...small, 'evaluateEvery=1', 'evaluateQuestions=1']],
    ['examples/vote.json', ['questions=1', 'count=2', 'frames=2', 'maxNewTokens=8']],
    ['coldstart.json', ['steps=1', 'frames=2']],
  ]
  for (const [graph, set] of runs) {
    const plan = loadGraph(join(repository, 'graphs', graph), registry, { set })
    await makeEmbedded(plan, registry, () => {})
    const directory = join(t.testdir(), 'run')
    const { status, error } = await startRun(plan, { seed: 1, directory }).done
    t.equal(status, 'completed', error?.message ?? '')
    const lines = readFileSync(join(directory, 'metrics.jsonl'), 'utf8').trim().split('\n')
    const names = new Set(lines.flatMap(line => Object.keys(JSON.parse(line))))
    const rewards = plan.nodes.flatMap(({ operator, config }) => operator.marks?.(config).adds ?? [])
    const stated = plan.nodes.flatMap(
      ({ operator, config }) =>
        operator.metrics?.(
          config,
          rewards.filter(name => name !== ''),
        ) ?? [],
    )
    const unstated = [...names].filter(name => !stated.includes(name) && name !== 'step' && name !== 'key')
    t.same(unstated, [], graph)
    t.ok(names.size > 4, `${graph} records ${names.size} metrics`)
  }
})
