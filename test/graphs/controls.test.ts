import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../fixtures.ts'

// biome-ignore lint/suspicious/noExplicitAny: graphs are compared as they are written
const read = (name: string): any => JSON.parse(readFileSync(join(repository, 'graphs', name), 'utf8'))
const { $schema: _, summary: __, ...recipe } = read('grpo.json')

t.test('the blind control is the recipe without the frames', async t => {
  const { $schema, summary, ...blind } = read('controls/blind.json')
  t.equal(blind.nodes.prompts.config.visual, 'zero')
  delete blind.nodes.prompts.config.visual
  t.same(blind, recipe)
})

t.test('the control with random rewards is the recipe with another reward behind its own', async t => {
  const { $schema, summary, ...random } = read('controls/random-reward.json')
  const { scores, rewards } = random.nodes
  t.match(rewards, { operator: 'reward.random', from: { groups: 'scores.groups' } })
  random.nodes.rewards = scores
  delete random.nodes.scores
  t.same(random, recipe)
})
