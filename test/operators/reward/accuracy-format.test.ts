import t from 'tap'
import accuracyFormat from '../../../operators/reward/accuracy-format.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

const config = {
  formulaSeconds: 2,
  baseline: 0.5,
  lengthBonus: 0.5,
  lengthCap: 1200,
  rule: 'code',
  zeroReplacement: -2,
} as const

t.test('every completion gets both rewards and their combination, added to rewards that it has', async t => {
  const group = groupOf([
    { text: '<think></think><answer>C</answer>', rewards: { other: 3 } },
    { text: 'nothing' },
  ])
  const groups = await runOver(accuracyFormat, config, { port: 'groups', values: [group] }, 'groups')
  t.match(groups, [
    {
      completions: [
        { rewards: { other: 3, accuracy: 1, format: 0.5 }, reward: 1.5 },
        { rewards: { accuracy: 0, format: 0 }, reward: -2 },
      ],
    },
  ])
  t.notOk(group.completions[0]?.reward, 'the input is left as it was')
})

t.test('the rule and the replacement come from the config', async t => {
  const values = [groupOf([{ text: 'C' }])]
  const paper = { ...config, rule: 'paper', zeroReplacement: -7 } as const
  t.match(await runOver(accuracyFormat, paper, { port: 'groups', values }, 'groups'), [
    { completions: [{ reward: -7 }] },
  ])
})

t.test('a sample without solution is an error with its key', async t => {
  const input = { port: 'groups', values: [groupOf([{ text: 'C' }], null)], key: 'row 3' }
  await t.rejects(runOver(accuracyFormat, config, input, 'groups'), {
    code: 'missing-solution',
    message: 'sample row 3: a reward needs a solution, the sample has none',
  })
})
