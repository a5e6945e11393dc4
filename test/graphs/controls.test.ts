import t from 'tap'
import { type Graph, readGraph } from './graph-files.ts'

/** A graph without the lines that say where it is and why it exists. */
function recipeOf(name: string): Omit<Graph, 'summary'> {
  const { summary, $schema, ...recipe } = { $schema: '', ...readGraph(name) }
  return recipe
}

const recipe = recipeOf('grpo.json')

t.test('the blind control is the recipe without the frames', async t => {
  const blind = recipeOf('controls/blind.json')
  const { prompts } = recipe.nodes
  const config = { ...prompts?.config, visual: 'zero' }
  t.same(blind, { ...recipe, nodes: { ...recipe.nodes, prompts: { ...prompts, config } } })
})

t.test('the control with random rewards is the recipe with another reward after its own', async t => {
  const control = recipeOf('controls/random-reward.json')
  const { scores, rewards } = control.nodes
  t.match(rewards, { operator: 'reward.random', from: { groups: 'scores.groups' } })
  t.same(scores, recipe.nodes.rewards)
  t.same(control, { ...recipe, nodes: { ...recipe.nodes, scores, rewards } })
})
