import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeRandomCheckpoint } from '../../../operators/model/random.ts'
import { folder, train, written } from './train-groups.ts'

t.test('each group is an update, and what is reported keeps its names', async t => {
  const { summary, lines } = await train(2, { reference: 'reference' }, { reference: true })
  t.match(summary, { status: 'completed' }, summary.error?.message ?? '')
  const [first, second] = lines('metrics')
  t.match(first, { step: 1, reward: 0.5, completion_length: 2, learning_rate: 0.01, policy_lag: 0 })
  t.match(first, {
    key: 'group 0',
    kl: 0,
    reward_std: Math.SQRT1_2,
    frac_reward_zero_std: 0,
    'clip_ratio/region_mean': 0,
  })
  for (const name of ['loss', 'grad_norm', 'entropy', 'generate_seconds', 'update_seconds', 'seconds'])
    t.ok(Number.isFinite(first[name]), name)
  t.equal(second.frac_reward_zero_std, 1)
  t.ok(second.kl > 0, 'the reference stays where it was')
  t.match(
    lines('samples').map(({ step, key, advantage }) => [step, key, Math.sign(advantage)]),
    [
      [1, 'group 0', 1],
      [1, 'group 0', -1],
      [2, 'group 1', 0],
      [2, 'group 1', 0],
    ],
  )
})

t.test('several groups make an update, several updates a batch; the last batch is short', async t => {
  const update = { beta: 0, surrogate: 'clip', groupsPerUpdate: 2, updatesPerBatch: 2 }
  const { summary, lines } = await train(3, update)
  t.match(summary, { status: 'completed' }, summary.error?.message ?? '')
  const metrics = lines('metrics')
  t.same(
    metrics.map(({ step, key, policy_lag }) => [step, key, policy_lag]),
    [
      [1, 'group 0 group 1', 0],
      [2, 'group 0 group 1', 0],
      [3, 'group 2', 2],
      [4, 'group 2', 2],
    ],
  )
  t.same(
    metrics.map(line => line['clip_ratio/region_mean'] > 0),
    [false, true, false, true],
    'the ratio is 1 in the first update and past its bounds in the second',
  )
})

t.test('a group without advantages has no gradient; its update is counted', async t => {
  const { lines } = await train(1, { beta: 0, surrogate: 'clip', updatesPerBatch: 2 })
  t.ok(lines('metrics')[0].grad_norm > 0)
  const nothing = await train(2, { beta: 0 })
  t.match(nothing.lines('metrics')[1], { step: 2, loss: 0, grad_norm: 0 })
})

t.test('a reference that moves is the policy again, or between the two', async t => {
  const update = { reference: 'reference', beta: 0.1, referenceEvery: 2 }
  const klOf = async (changes: object) => {
    const { lines, summary, directory } = await train(
      4,
      { ...update, ...changes },
      { reference: true, saves: true },
    )
    t.match(summary, { status: 'completed' }, summary.error?.message ?? '')
    // The checkpoint at the end is written when the node has nothing more to do.
    const saved = existsSync(join(directory, 'checkpoints/last/_nodes/update/reference.safetensors'))
    t.equal(saved, !('referenceEvery' in changes))
    return lines('metrics').map(({ kl }) => kl)
  }
  const [still, copied, mixed] = [
    await klOf({ referenceEvery: 0 }),
    await klOf({ referenceShare: 1 }),
    await klOf({ referenceShare: 0.6 }),
  ]
  t.ok(still[2] > 0)
  t.same(
    [copied[1] > 0, copied[2], copied[3] > 0],
    [true, 0, true],
    'the third update starts from its reference',
  )
  t.ok(mixed[2] > 0 && mixed[2] < still[2], 'nearer, not there')
})

t.test('the weight of the entropy rises while there is too little of it, and is used then', async t => {
  const update = { beta: 0, entropyCoefficient: 0.01, entropyStep: 0.25, entropyMost: 0.3 }
  const weights = async (entropyTarget: number) => {
    const { lines } = await train(4, { ...update, entropyTarget })
    return lines('metrics').map(line => line.entropy_coef)
  }
  t.same(await weights(100), [0, 0.26, 0.3, 0.3])
  t.same(await weights(1e-3), [0, 0, 0, 0])
  t.same(await weights(0), Array(4).fill(undefined), 'constant, and stated in the graph')
})

t.test('the divergence may be taken off the reward instead', async t => {
  const klReward = {
    operator: 'grpo.kl-reward',
    config: { model: 'policy', reference: 'reference', weight: 2 },
  }
  const other = join(folder, 'other')
  await writeRandomCheckpoint(other, { ...written, folder: other, dtype: 'float32', seed: 2 })
  const { lines, summary } = await train(2, { beta: 0 }, { reference: other, rewards: klReward })
  t.match(summary, { status: 'completed' }, summary.error?.message ?? '')
  for (const [i, line] of lines('metrics').entries()) {
    t.ok(Math.abs(line['rewards/kl']) > 1e-3, 'the reference is another model')
    // the mean of the two completions' rewards without it
    const plain = (1 + (i % 3)) / 2
    t.ok(Math.abs(line.reward - (plain - 2 * line['rewards/kl'])) < 1e-6)
  }
})

t.test('a KL weight without a reference is an error', async t => {
  const { summary } = await train(1, { beta: 0.1 })
  t.match(summary, { status: 'failed', error: { message: /beta 0.1 needs a reference/ } })
})

t.test('an alarm stops the run after the update that it is about, and says why', async t => {
  const { summary, lines } = await train(4, { beta: 0, uniformBatches: 1, stillParameterUpdates: 1 })
  t.match(summary, {
    status: 'failed',
    error: { message: /all rewards of each group were equal in 1 batches/ },
  })
  t.equal(lines('metrics').length, 2)
  const fine = await train(4, { beta: 0, uniformBatches: 2, truncatedBatches: 1, stillRewardBatches: 3 })
  t.match(fine.summary, { status: 'completed' }, fine.summary.error?.message ?? '')
})
