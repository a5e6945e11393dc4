import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { imagePlaceholderId } from '../../../kernels/networks/packing.ts'
import { sharedDevice } from '../../../operators/device.ts'
import { operators, resources } from '../../../operators/index.ts'
import type { Group } from '../../../operators/kinds.ts'
import modelRandom, { writeRandomCheckpoint } from '../../../operators/model/random.ts'
import { fixture } from '../../fixtures.ts'
import { noise } from '../../kernels/support.ts'
import { groupOf } from '../group.ts'

const defaults = Object.fromEntries(
  Object.entries(modelRandom.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as Parameters<typeof writeRandomCheckpoint>[1] // every field but the folder has a default
const folder = t.testdir()
const checkpoint = join(folder, 'checkpoint')
const sizes = {
  hidden: 32,
  intermediate: 48,
  layers: 1,
  visionHidden: 16,
  visionHeads: 2,
  queries: 5,
  group: 2,
}
const written = { ...defaults, ...sizes, folder: checkpoint, tokenizer: fixture('prompts') }
await writeRandomCheckpoint(checkpoint, { ...written, dtype: 'float32' })

/** Emits groups of two completions, one of them better. */
const source = operator({
  summary: 'Gives groups.',
  config: { count: { type: 'integer', description: 'How many.' } },
  inputs: {},
  outputs: { groups: 'group' },
  run: (_inputs, { count }, context) => ({
    groups: context.source<Group>(async function* () {
      const device = await sharedDevice(context)
      for (let i = 0; i < count; i++) {
        const group = groupOf([
          { ids: [20 + i, 21, 22], reward: 1 },
          { ids: [30 + i], reward: i % 3 },
        ])
        const values = noise(4 * 16 * 16, i)
        const features = device.tensor('features', [4, 16, 16], 'f32', values)
        const prompt = { ...group.prompt, ids: [7, imagePlaceholderId, 8 + i], features }
        const { buffer } = features.storage
        const dispose = () => device.free(buffer)
        yield { key: `group ${i}`, value: { ...group, prompt }, dispose }
      }
    }),
  }),
})

let runs = 0
/** Runs groups through advantages and updates; what the run recorded. */
async function train(
  count: number,
  update: object,
  options: { reference?: boolean | string; noise?: number; rewards?: object; saves?: boolean } = {},
) {
  const model = { resource: 'model', config: { path: checkpoint } }
  const graph = {
    version: 1,
    summary: 'A test.',
    ...(options.saves && { checkpoint: { every: 0 } }),
    resources: {
      policy: { ...model, config: { path: checkpoint, train: ['connector', 'language'] } },
      ...(options.reference && {
        reference:
          typeof options.reference === 'string' ? { ...model, config: { path: options.reference } } : model,
      }),
      optimizer: {
        resource: 'adamw',
        config: { model: 'policy', learningRate: 0.01, schedule: 'constant', warmupRatio: 0, steps: 9 },
      },
    },
    nodes: {
      groups: { operator: 'test.groups', config: { count } },
      advantages: {
        operator: 'grpo.advantage',
        config: { noise: options.noise ?? 0 },
        from: { groups: options.rewards ? 'rewards.groups' : 'groups.groups' },
      },
      ...(options.rewards && { rewards: { ...options.rewards, from: { groups: 'groups.groups' } } }),
      update: {
        operator: 'grpo.update',
        config: { model: 'policy', optimizer: 'optimizer', ...update },
        from: { groups: 'advantages.groups' },
      },
    },
  }
  const registry = { operators: { ...operators, 'test.groups': source }, resources }
  const plan = loadGraph('test.json', registry, { read: () => JSON.stringify(graph) })
  const directory = join(folder, `run-${++runs}`)
  const summary = await startRun(plan, { seed: 0, directory }).done
  const lines = (stream: string): Record<string, number>[] =>
    readFileSync(join(directory, `${stream}.jsonl`), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
  return { summary, lines, directory }
}

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
