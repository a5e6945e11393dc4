import t from 'tap'
import type { Group } from '../../../operators/kinds.ts'
import accuracy from '../../../operators/reward/accuracy.ts'
import accuracyFormat from '../../../operators/reward/accuracy-format.ts'
import combine from '../../../operators/reward/combine.ts'
import format from '../../../operators/reward/format.ts'
import random from '../../../operators/reward/random.ts'
import sum from '../../../operators/reward/sum.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

const symbolic = { formulaSeconds: 2 }
const form = { weight: 0, baseline: 0.5, lengthBonus: 0.5, lengthCap: 1200 }
const code = { rule: 'code', zeroReplacement: -2 } as const
const input = (group: Group, seed = 1) => ({ port: 'groups', values: [group], seed })
const texts = ['<think>abc</think> <answer>C</answer>', '<think>a</think> <answer>B</answer>', 'C', 'no']

t.test('accuracy, format and combine one after another are accuracy-format', async t => {
  const group = groupOf(texts.map(text => ({ text })))
  const [right] = (await runOver(accuracy, symbolic, input(group), 'groups')) as Group[]
  const [formed] = (await runOver(format, form, input(right), 'groups')) as Group[]
  t.equal(formed.completions[0].reward, undefined, 'rewards by name leave the combined one alone')
  for (const rule of ['code', 'paper'] as const) {
    const options = { rule, zeroReplacement: -2 }
    const apart = await runOver(combine, options, input(formed), 'groups')
    t.same(apart, await runOver(accuracyFormat, { ...symbolic, ...form, ...options }, input(group), 'groups'))
  }
})

t.test('what is missing is named', async t => {
  const missing = { code: 'missing-solution' }
  await t.rejects(runOver(accuracy, symbolic, input(groupOf([{}], null)), 'groups'), missing)
  const half = groupOf([{ rewards: { accuracy: 1 } }])
  await t.rejects(runOver(combine, code, input(half), 'groups'), {
    code: 'missing-reward',
    message: /no reward "format", only: accuracy/,
  })
})

t.test('a sum leaves out what does not apply, and needs something that does', async t => {
  const group = groupOf([{ rewards: { a: 1, b: 2 }, reward: 9 }, { rewards: { a: null, b: 3 } }])
  const weights = { a: 10, b: -0.5 }
  const [summed] = (await runOver(sum, { weights, none: 'error' }, input(group), 'groups')) as Group[]
  t.same(
    summed.completions.map(({ reward }) => reward),
    [9, -1.5],
  )
  await t.rejects(runOver(sum, { weights: { a: 1 }, none: 'error' }, input(group), 'groups'), {
    message: /no reward applies/,
  })
  await t.rejects(runOver(sum, { weights: { c: 1 }, none: 'error' }, input(group), 'groups'), {
    message: /no reward "c", only: a, b/,
  })
  await t.rejects(
    async () => runOver(sum, { weights: { a: 'much' }, none: 'error' }, input(group), 'groups'),
    {
      message: /weights\/a: must be a number, got "much"/,
    },
  )
  await t.rejects(async () => runOver(sum, { weights: {}, none: 'error' }, input(group), 'groups'), {
    code: 'bad-weights',
  })
})

t.test('random rewards depend on the seed alone', async t => {
  const draw = async (group: Group, seed: number) => {
    const [drawn] = (await runOver(random, { low: -1, high: 3 }, input(group, seed), 'groups')) as Group[]
    return drawn.completions.map(({ reward = Number.NaN }) => reward)
  }
  const many = groupOf(Array.from({ length: 500 }, () => ({})))
  const rewards = await draw(many, 7)
  t.ok(rewards.every(reward => reward >= -1 && reward < 3))
  const mean = rewards.reduce((total, reward) => total + reward, 0) / 500
  t.ok(Math.abs(mean - 1) < 0.2, `mean ${mean}`)
  t.same(await draw(groupOf([{ text: 'right' }, {}]), 7), rewards.slice(0, 2))
  t.not((await draw(many, 8))[0], rewards[0])
})
