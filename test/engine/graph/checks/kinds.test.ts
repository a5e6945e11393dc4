// Edges from nodes that make objects with the fields that their config names, to inputs whose kind needs others.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { registry } from '../../../../engine/cli/registry.ts'
import { checkGraph } from '../../../../engine/graph/check.ts'
import { repository } from '../../../fixtures.ts'

/** What a check says of GRPO with a node between its rewards and its advantages. */
function said(operator: string, config: object): string[] {
  const graph = {
    extends: join(repository, 'graphs/grpo.json'),
    summary: 'A reward in JSON.',
    nodes: {
      short: { operator, config, from: { items: 'rewards.groups' } },
      same: { operator: 'stream.filter', config: { where: 'true' }, from: { items: 'short.items' } },
      advantages: { from: { groups: 'same.items' } },
    },
  }
  const file = join(repository, 'graphs/g.json')
  const settings = { set: ['model=builtin:shapes', 'data=builtin:shapes/train.jsonl', 'steps=1'] }
  const read = (name: string) => (name === file ? JSON.stringify(graph) : readFileSync(name, 'utf8'))
  return checkGraph(file, registry, { ...settings, read }).problems.map(
    ({ path, rule, found, remedy }) => `${path}: ${rule}, found ${found}; ${remedy}`,
  )
}

const completions = "[completions.$merge([$, { 'reward': $length(text) < 40 ? 1 : 0 }])]"

t.test('fields that the next kind needs must be kept or made, and what lacks them is told once', async t => {
  const [problem = '', ...more] = said('stream.map', { fields: { completions } })
  t.same(more, [])
  t.match(problem, /^nodes\.advantages\.from\.groups: must carry "group" for the input "groups"/)
  t.match(problem, 'found items with only completions, which "short" (stream.map) makes: prompt is missing')
  t.match(problem, 'set "keep": true in the config of "short"')
  t.match(said('stream.select', { fields: ['prompt', 'policyVersion'] }), [
    /"short" \(stream\.select\) makes: completions is missing; add these fields to the config of "short"/,
  ])
  t.same(said('stream.map', { keep: true, fields: { completions } }), [])
  t.same(said('stream.select', { fields: ['prompt', 'completions'] }), [])
})
