import t from 'tap'
import { readGraph } from './graph-files.ts'

const { summary: _, ...recipe } = readGraph('grpo.json')

t.test('the blind control is the recipe without the frames', async t => {
  const { summary, ...blind } = readGraph('controls/blind.json')
  const { prompts } = recipe.nodes
  const config = { ...prompts?.config, visual: 'zero' }
  t.same(blind, { ...recipe, nodes: { ...recipe.nodes, prompts: { ...prompts, config } } })
})

t.test('the control with random rewards is the recipe with another reward after its own', async t => {
  const { summary, ...control } = readGraph('controls/random-reward.json')
  const { scores, rewards } = control.nodes
  t.match(rewards, { operator: 'reward.random', from: { groups: 'scores.groups' } })
  t.same(scores, recipe.nodes.rewards)
  t.same(control, { ...recipe, nodes: { ...recipe.nodes, scores, rewards } })
})
