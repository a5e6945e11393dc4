import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import best from '../../../operators/group/best.ts'
import conversations from '../../../operators/group/conversations.ts'
import keep from '../../../operators/group/keep.ts'
import question from '../../../operators/group/question.ts'
import record from '../../../operators/group/record.ts'
import { elected } from '../../../operators/group/vote.ts'
import type { Group, Sample } from '../../../operators/kinds.ts'
import { agreement } from '../../../operators/reward/judge-model.ts'
import { firstNumber } from '../../../operators/reward/judge-number.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'
import { runGraph } from '../run-graph.ts'

const rewarded = (...rewards: number[]) => groupOf(rewards.map((reward, i) => ({ reward, text: String(i) })))
const textsOf = (groups: unknown[]) =>
  (groups as Group[]).map(({ completions }) => completions.map(({ text }) => text))
const over = (values: readonly Group[]) => ({ port: 'groups', values, key: 'row 3' })

t.test('the best completions come first; of equal ones the earlier', async t => {
  const groups = over([rewarded(0, 2, 1, 2)])
  t.same(textsOf(await runOver(best, { count: 1, reward: '' }, groups, 'groups')), [['1']])
  t.same(textsOf(await runOver(best, { count: 3, reward: '' }, groups, 'groups')), [['1', '3', '2']])
  t.same(textsOf(await runOver(best, { count: 9, reward: '' }, groups, 'groups')), [['1', '3', '2', '0']])
})

t.test('completions below the least reward go, and groups without any other', async t => {
  const groups = over([rewarded(0, 1, 0.5), rewarded(0, 0.2)])
  t.same(textsOf(await runOver(keep, { least: 0.5, reward: '' }, groups, 'groups')), [['1', '2']])
  await t.rejects(runOver(keep, { least: 1, reward: 'judge' }, groups, 'groups'), {
    code: 'missing-reward',
    message: /sample row 3: a completion has no reward "judge"/,
  })
})

t.test('a vote counts answers between tags', async t => {
  const say = (answer: string) => `<think> x </think> <answer> ${answer} </answer>`
  t.same(elected([say('A'), say('B'), say('B'), 'B']), { index: 1, share: 0.5 })
  t.same(elected([say('A'), say('B')]), { index: 0, share: 0.5 }, 'of equal votes, the first')
  t.same(elected(['B', 'B']), { index: 0, share: 0 }, 'without tags there is no vote')
})

t.test('a question comes back with the mean reward of its completions', async t => {
  const [sample] = (await runOver(
    question,
    { reward: '', field: 'ease' },
    over([rewarded(0, 1)]),
    'samples',
  )) as Sample[]
  t.match(sample, { video: 'a.mp4', question: 'Which?', solution: 'C', fields: { ease: 0.5 } })
})

t.test('each completion becomes a conversation with the words that the model was asked with', async t => {
  const wording = { instruction: 'Think.', joint: '\n' }
  const samples = (await runOver(conversations, wording, over([rewarded(1, 2)]), 'samples')) as Sample[]
  t.same(
    samples.map(sample => sample.conversations?.map(({ value }) => value)),
    [
      ['<image>\nWhich?\nThink.', '0'],
      ['<image>\nWhich?\nThink.', '1'],
    ],
  )
})

t.test('a judge that says nothing that can be read gives no reward', async t => {
  t.equal(agreement('<answer> B </answer>', '<answer> B. red </answer>'), 1)
  t.equal(agreement('B', '<answer> B </answer>'), 0)
  t.equal(agreement('<answer> B </answer>', 'B'), null)
  t.equal(firstNumber('It is 0.75 of 1.'), 0.75)
  t.equal(firstNumber('<answer> -1 </answer> 3'), -1)
  t.equal(firstNumber('Well done.'), null)
})

t.test('samples and means have the step of the update after them; the last batch may be short', async t => {
  const directory = t.testdir()
  const source = operator({
    summary: 'Gives three groups.',
    config: {},
    inputs: {},
    outputs: { groups: 'group' },
    run: (_inputs, _config, context) => ({
      groups: context.source<Group>(async function* () {
        for (const i of [0, 1, 2]) yield { key: `g${i}`, value: rewarded(i, i + 1) }
      }),
    }),
  })
  const config = { name: 'vote', groupsPerUpdate: 2, updatesPerBatch: 3 }
  const nodes = {
    source: { operator: 'source' },
    record: { operator: 'record', config, from: { groups: 'source.groups' } },
    end: { operator: 'collect', from: { items: 'record.groups' } },
  }
  const run = await runGraph({ nodes }, { source, record }, { directory })
  t.equal(run.status, 'completed', run.error?.message ?? '')
  t.equal(run.items.length, 3, 'groups are passed on')
  const lines = (stream: string) =>
    readFileSync(join(run.directory, `${stream}.jsonl`), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
  t.match(
    lines('samples').map(({ step, key, index, name, reward }) => [step, key, index, name, reward]),
    [
      [3, 'g0', 0, 'vote', 0],
      [3, 'g0', 1, 'vote', 1],
      [3, 'g1', 0, 'vote', 1],
      [3, 'g1', 1, 'vote', 2],
      [6, 'g2', 0, 'vote', 2],
      [6, 'g2', 1, 'vote', 3],
    ],
  )
  t.match(lines('metrics'), [
    { step: 3, key: 'g0 g1', 'vote/reward': 1 },
    { step: 6, key: 'g2', 'vote/reward': 2.5 },
  ])
})
