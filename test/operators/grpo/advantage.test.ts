import { readFileSync } from 'node:fs'
import t from 'tap'
import advantage from '../../../operators/grpo/advantage.ts'
import {
  advantagesOf,
  type EstimatorOptions,
  groupStatistics,
  standardSum,
} from '../../../operators/grpo/estimators.ts'
import { normals } from '../../../operators/grpo/normals.ts'
import { fixture } from '../../fixtures.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

interface Golden {
  inputs: { rewards: number[]; rewards_per_func: [number, number][]; mask: number[][] }
  advantages: Record<string, number[]> & { 'rpp_baseline_token_whiten(verl)': number[][] }
}
// The cast states the layout of a file of ours.
const golden = JSON.parse(readFileSync(fixture('losses/losses.json'), 'utf8')) as Golden
const { rewards, rewards_per_func: perFunction, mask } = golden.inputs
const lengths = mask.map(row => row.reduce((sum, m) => sum + m, 0))
const halves = <T>(values: readonly T[]) => [values.slice(0, 4), values.slice(4)]
const groupsOf = (values: readonly number[]) =>
  halves(values).map((group, g) => ({ rewards: group, lengths: halves(lengths)[g] }))

/** The largest distance of a number from its expected value. */
const worst = (found: readonly number[], expected: readonly number[]) =>
  Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))))

const published: EstimatorOptions = {
  baseline: 'mean',
  scale: 'group',
  deviation: 'unbiased',
  epsilon: 1e-4,
}
const estimators: Record<string, EstimatorOptions> = {
  'group_norm_eps1e-4': published,
  'group_norm_eps1e-6': { ...published, epsilon: 1e-6 },
  dr_grpo: { ...published, scale: 'none' },
  'batch_std_eps1e-4': { ...published, scale: 'batch' },
  rloo: { ...published, baseline: 'leave-one-out', scale: 'none' },
  'rpp_baseline_seq_batch_eps1e-4(ms-swift)': { ...published, scale: 'batch-advantage' },
  opo: { ...published, baseline: 'length-weighted', scale: 'none' },
  'passk_eps1e-6': { ...published, baseline: 'runner-up', epsilon: 1e-6 },
  gpg: { ...published, scale: 'nonzero' },
}
for (const [name, options] of Object.entries(estimators)) {
  t.test(`${name}: advantages are the trainer's`, async t => {
    const found = advantagesOf(groupsOf(rewards), options).flat()
    t.ok(worst(found, golden.advantages[name]) < 1e-14, `${worst(found, golden.advantages[name])}`)
  })
}

t.test("whitening over tokens gives verl's advantages, the same for each token of a completion", async t => {
  const found = advantagesOf(groupsOf(rewards), { ...published, scale: 'token', epsilon: 1e-8 }).flat()
  const expected = golden.advantages['rpp_baseline_token_whiten(verl)']
  found.forEach((value, i) => {
    const row = expected[i].slice(0, lengths[i])
    // There 1e-8 is also added to the number of tokens.
    t.ok(worst(row, Array(lengths[i]).fill(value)) < 1e-9)
  })
})

t.test('several rewards, each measured by itself, then the batch: GDPO', async t => {
  const sums = halves(perFunction).flatMap(group => {
    const columns = [group.map(([first]) => first), group.map(([, second]) => second)]
    return standardSum(columns, [1, 0.5], 1e-4)
  })
  const found = advantagesOf(groupsOf(sums), { ...published, baseline: 'batch', scale: 'batch' }).flat()
  t.ok(worst(found, golden.advantages['gdpo_eps1e-4_w[1,0.5]']) < 1e-14)
})

t.test('every estimator of the reference has a case', async t => {
  const others = ['rpp_baseline_token_whiten(verl)', 'gdpo_eps1e-4_w[1,0.5]']
  t.strictSame([...Object.keys(estimators), ...others].sort(), Object.keys(golden.advantages).sort())
})

t.test('advantages of the published example', async t => {
  const rewards = [1.6, 1.6, -0.55, -2, 1.6, -0.6, 1.0, -2.0]
  const { mean, standardDeviation } = groupStatistics(rewards)
  t.ok(worst([mean, standardDeviation], [0.08125, 1.571609]) < 1e-6)
  const expected = [0.966305, 0.966305, -0.401633, -1.324195, 0.966305, -0.433445, 0.584555, -1.324195]
  t.ok(worst(advantagesOf([{ rewards, lengths: [] }], published).flat(), expected) < 1e-6)
})

t.test('equal rewards have no advantage, by any estimator', async t => {
  // the sum of seven of the last two is rounded
  for (const reward of [1.5, 0.1, 2.0000000000000002e29]) {
    const equal = [{ rewards: Array(7).fill(reward), lengths: [1, 2, 3, 4, 5, 6, 7] }]
    for (const [name, options] of Object.entries(estimators))
      t.strictSame(
        advantagesOf(equal, options).flat().map(Math.abs),
        Array(7).fill(0),
        `${name} of ${reward}`,
      )
  }
})

const config = {
  ...published,
  missing: 'error',
  rewards: [],
  weights: [],
  noise: 0,
  groupsPerBatch: 1,
} as const

t.test('without noise the operator gives the plain advantages', async t => {
  const group = groupOf([{ reward: 1.6 }, { reward: -2 }])
  const input = { port: 'groups', values: [group], seed: 5 }
  const found = await runOver(advantage, config, input, 'groups')
  t.match(found, [{ completions: [{ advantage: 0.7070790044999411 }, { advantage: -0.7070790044999411 }] }])
})

t.test("the noise follows the item's seed alone", async t => {
  const group = groupOf([{ reward: 1 }, { reward: 1 }])
  const noisy = { ...config, noise: 0.02 }
  const draw = (seed: number) =>
    runOver(advantage, noisy, { port: 'groups', values: [group], seed }, 'groups')
  const [first] = normals(5, 1)
  t.match(await draw(5), [{ completions: [{ advantage: 0.02 * (first ?? 0) }, {}] }])
  t.strictSame(await draw(5), await draw(5))
  t.notSame(await draw(5), await draw(6))
})

t.test('a completion without reward is an error that says what to do', async t => {
  const input = { port: 'groups', values: [groupOf([{ reward: 1 }, {}])], key: 'row 2' }
  await t.rejects(runOver(advantage, config, input, 'groups'), {
    code: 'missing-reward',
    message: 'sample row 2: a completion has no reward; put a reward operator before this node',
  })
})

t.test('named rewards without a combined one are an error that names reward.sum', async t => {
  const rewards = { accuracy: 1, format: 0 }
  const input = { port: 'groups', values: [groupOf([{ rewards }, { rewards }])], key: 'row 2' }
  await t.rejects(runOver(advantage, config, input, 'groups'), {
    code: 'missing-reward',
    message:
      'sample row 2: a completion has no combined reward, only the named rewards "accuracy", "format"; put reward.sum with its weights before this node',
  })
})

t.test('or it is left out: of all means, with advantage 0', async t => {
  const options = { ...config, missing: 'leave-out', scale: 'none', groupsPerBatch: 2 } as const
  const values = [groupOf([{ reward: 1 }, {}, { reward: 0 }]), groupOf([{ reward: 7 }, {}])]
  const found = await runOver(advantage, options, { port: 'groups', values }, 'groups')
  t.match(found, [
    { completions: [{ advantage: 0.5 }, { advantage: 0 }, { advantage: -0.5 }] },
    { completions: [{ advantage: 0 }, { advantage: 0 }] },
  ])
})

t.test("the population's deviation divides by the count", async t => {
  const { standardDeviation } = groupStatistics([1, 3], 'population')
  t.equal(standardDeviation, 1)
  const [whole] = advantagesOf([{ rewards: [1, 3], lengths: [] }], {
    ...published,
    deviation: 'population',
    epsilon: 0,
  })
  t.same(whole, [-1, 1])
})

t.test('a group of one has no deviation', async t => {
  t.throws(() => advantagesOf([{ rewards: [1], lengths: [1] }], published), {
    code: 'small-group',
    message: /at least 2 completions, got 1$/,
  })
})

t.test('the draws are normal: moments, tails and independence of neighbours', async t => {
  const draws = [1, 2, 3, 4].flatMap(seed => normals(seed, 25_000))
  const mean = (power: (draw: number, i: number) => number) =>
    draws.reduce((sum, draw, i) => sum + power(draw, i), 0) / draws.length
  t.ok(worst([mean(z => z), mean(z => z ** 2), mean(z => z ** 3), mean(z => z ** 4)], [0, 1, 0, 3]) < 0.08)
  t.ok(worst([mean(z => (Math.abs(z) < 1 ? 1 : 0))], [0.6827]) < 0.01)
  t.ok(worst([mean((z, i) => z * (draws[i + 1] ?? 0))], [0]) < 0.015)
  const firsts = Array.from({ length: 20_000 }, (_, seed) => normals(seed, 1)[0] ?? 0)
  t.ok(worst([firsts.reduce((sum, z) => sum + z * z, 0) / firsts.length], [1]) < 0.05)
})

t.test('a batch of several groups comes out as groups again, the last one short', async t => {
  const values = [1, 2, 3].map(best =>
    groupOf([
      { reward: best, ids: [1] },
      { reward: 0, ids: [1] },
    ]),
  )
  const batched = { ...config, baseline: 'batch', scale: 'none', groupsPerBatch: 2 } as const
  t.match(await runOver(advantage, batched, { port: 'groups', values }, 'groups'), [
    { completions: [{ advantage: 0.25 }, { advantage: -0.75 }] },
    { completions: [{ advantage: 1.25 }, { advantage: -0.75 }] },
    { completions: [{ advantage: 1.5 }, { advantage: -1.5 }] },
  ])
})

t.test('named rewards take the place of the combined one', async t => {
  const values = [groupOf([{ rewards: { a: 1, b: 0 } }, { rewards: { a: 0, b: 2 } }])]
  const named = { ...config, rewards: ['a', 'b'], weights: [1, 3], scale: 'none', epsilon: 0 } as const
  const found = await runOver(advantage, named, { port: 'groups', values }, 'groups')
  const score = 0.5 / Math.sqrt(0.5)
  t.match(found, [{ completions: [{ advantage: score - 3 * score }, { advantage: 3 * score - score }] }])
  const missing = { ...named, rewards: ['c'] }
  await t.rejects(runOver(advantage, missing, { port: 'groups', values }, 'groups'), {
    code: 'missing-reward',
    message: /no reward "c"/,
  })
})
