import { readFileSync } from 'node:fs'
import t from 'tap'
import overlong, { overlongReward } from '../../../operators/reward/overlong.ts'
import repetition, { repetitionReward } from '../../../operators/reward/repetition.ts'
import { fixture } from '../../fixtures.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

interface Golden {
  rewards: { soft_overlong_100_20: Record<string, number>; repetition_n2: { ids: number[]; r: number }[] }
}
// The cast states the layout of a file of ours.
const golden = (JSON.parse(readFileSync(fixture('losses/losses.json'), 'utf8')) as Golden).rewards

for (const [tokens, expected] of Object.entries(golden.soft_overlong_100_20)) {
  t.test(`${tokens} tokens of 100 with a buffer of 20 cost ${-expected}`, async t => {
    t.equal(overlongReward(Number(tokens), 100, 20) + 0, expected)
  })
}

for (const { ids, r } of golden.repetition_n2) {
  t.test(`pairs of ${ids} that return cost ${-r}`, async t => {
    t.ok(Math.abs(repetitionReward(ids, 2) - r) < 1e-15)
  })
}

t.test('a punishment is one more reward and part of the combined one', async t => {
  const input = {
    port: 'groups',
    values: [groupOf([{ ids: [5, 5, 5, 5, 5], reward: 2, rewards: { a: 1 } }])],
  }
  t.match(await runOver(repetition, { size: 2, weight: 0.5 }, input, 'groups'), [
    { completions: [{ reward: 1.625, rewards: { a: 1, repetition: -0.75 } }] },
  ])
  t.match(await runOver(overlong, { length: 6, buffer: 2, weight: 3 }, input, 'groups'), [
    { completions: [{ reward: 0.5, rewards: { a: 1, overlong: -0.5 } }] },
  ])
})

t.test('a punishment is refused where it would replace rewards that are not combined yet', async t => {
  const settings = { size: 2, weight: 1 }
  const over = (rewards: Record<string, number | null>) =>
    runOver(repetition, settings, { port: 'groups', values: [groupOf([{ ids: [5], rewards }])] }, 'groups')
  await t.rejects(over({ accuracy: 1 }), {
    code: 'not-combined',
    message:
      /^sample sample: the reward "repetition" .* no combined one, only the named reward "accuracy", .* put reward.sum/,
  })
  t.match(await over({ accuracy: null }), [{ completions: [{ reward: 0 }] }], 'null does not apply')
})
