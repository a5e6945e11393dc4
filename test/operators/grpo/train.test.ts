import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { writeCompletions } from '../../../kernels/networks/generation/batch-writer.ts'
import { imagePlaceholderId } from '../../../kernels/networks/packing.ts'
import type { LossOptions } from '../../../operators/grpo/loss.ts'
import { type PrepareOptions, prepare, type UpdateShare } from '../../../operators/grpo/prepare.ts'
import { updateOnce } from '../../../operators/grpo/train.ts'
import type { Completion, Group } from '../../../operators/kinds.ts'
import type { ScheduledOptimizer } from '../../../operators/model/adamw.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import modelRandom, { writeRandomCheckpoint } from '../../../operators/model/random.ts'
import { fixture } from '../../fixtures.ts'
import { given, noise } from '../../kernels/support.ts'
import { groupOf } from '../group.ts'
import { lossOptions } from './loss-options.ts'

const defaults = Object.fromEntries(
  Object.entries(modelRandom.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as Parameters<typeof writeRandomCheckpoint>[1] // every field but the folder has a default
const folder = t.testdir()
const tokenizer = fixture('prompts')
const sizes = {
  hidden: 32,
  intermediate: 48,
  layers: 2,
  visionHidden: 16,
  visionHeads: 2,
  queries: 5,
  group: 2,
}
await writeRandomCheckpoint(folder, { ...defaults, ...sizes, folder, tokenizer, dtype: 'float32' })
const checkpoint = await openCheckpoint(folder)
const device = await openDevice()
const policy = await loadModel(device, checkpoint, ['connector', 'language'])
t.teardown(() => device.close())

const features = given(device, [4, 16, 16], noise(4 * 16 * 16, 9))
const prompt = [7, 8, imagePlaceholderId, 9, 10, 11]
const lengths = [5, 1, 9, 3]
const completions = lengths.map((length, i): Partial<Completion> => {
  const ids = Array.from({ length }, (_, t) => 20 + ((i * 53 + t * 17) % 300))
  return { ids, advantage: [1.03, 0.59, -0.44, -1.18][i], finished: i !== 2 }
})

const preparing = { temperature: 1, topK: 0, topP: 1, minP: 0, truncated: 'keep', endToken: 'count' } as const

/** A group of some of the completions. */
const groupOfSome = (some: readonly Partial<Completion>[]): Group => {
  const group = groupOf(some)
  return { ...group, prompt: { ...group.prompt, ids: prompt, features } }
}
const whole = [groupOfSome(completions)]
const halves = [groupOfSome(completions.slice(0, 1)), groupOfSome(completions.slice(1))]
const rows = completions.map(completion => groupOfSome([completion]))

/** Loss and gradients of one update, the weights left as they are. */
async function gradientsOf(groups: readonly Group[], changes: Partial<LossOptions & PrepareOptions>) {
  const options = { ...lossOptions(), ...preparing, ...changes }
  const shares: UpdateShare[] = []
  for (const group of groups)
    shares.push(await prepare(group, policy, options.beta > 0 ? reference : null, options))
  let gradients: number[] = []
  const clearGradients = () => {
    for (const { gradients } of policy.weights.slabs)
      device.write(gradients, new Float32Array(gradients.shape[0]))
  }
  clearGradients()
  const optimizer: ScheduledOptimizer = {
    steps: 0,
    clearGradients,
    free: () => {},
    learningRate: () => 0,
    peakLearningRate: 0,
    totalSteps: 1,
    moments: () => t.fail('nothing saves it') as never,
    async step() {
      const read = await Promise.all(policy.weights.slabs.map(slab => device.read(slab.gradients)))
      gradients = read.flatMap(slab => [...slab])
      return { gradientNorm: Math.hypot(...gradients), applied: true }
    },
  }
  const metrics = await updateOnce(shares, policy, optimizer, options)
  return { metrics, gradients, shares }
}

// Another model than the policy, so that there is a KL.
const other = `${folder}/reference`
await writeRandomCheckpoint(other, {
  ...defaults,
  ...sizes,
  folder: other,
  tokenizer,
  dtype: 'float32',
  seed: 2,
})
const reference = await loadModel(device, await openCheckpoint(other), [])

/** Largest difference relative to the largest gradient. */
function distance(found: readonly number[], wanted: readonly number[]): number {
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - wanted[i]) / largest), 0)
}

const losses: Record<string, Partial<LossOptions & PrepareOptions>> = {
  published: {},
  'token mean with entropy': { aggregation: 'token-mean', topEntropy: 0.5, entropyCoefficient: 0.1 },
  'over the drawn support': { topK: 9, topP: 0.8, temperature: 0.7 },
  'sum of sequence ratios': { ratio: 'sequence', aggregation: 'sequence-sum', surrogate: 'clip', length: 9 },
}
for (const [name, options] of Object.entries(losses)) {
  t.test(`shares of an update give its loss and gradients, and so do full rows: ${name}`, async t => {
    const wanted = await gradientsOf(whole, options)
    t.ok(
      wanted.gradients.some(gradient => Math.abs(gradient) > 1e-3),
      'there are gradients',
    )
    for (const groups of [halves, rows]) {
      const found = await gradientsOf(groups, options)
      const error = Math.abs(found.metrics.loss / wanted.metrics.loss - 1)
      t.ok(error <= 1e-6, `${groups.length} shares: loss ${error.toExponential(1)}`)
      const worst = distance(found.gradients, wanted.gradients)
      t.ok(worst <= 1e-6, `${groups.length} shares: gradients ${worst.toExponential(1)}`)
    }
  })
}

t.test(
  'log-probabilities over what was drawn from are those that the completions were drawn with',
  async t => {
    const drawing = { temperature: 0.7, topK: 12, topP: 0.9, minP: 0.02 }
    const request = { ids: prompt, features, seeds: [1, 2, 3] }
    const [written] = await writeCompletions(
      policy,
      [request],
      { greedy: false, ...drawing },
      { maxNewTokens: 6, endIds: [0] },
    )
    const group = groupOfSome(written.map((one, i) => ({ ...one, advantage: i - 1 })))
    for (const options of [drawing, { temperature: 0.7 }]) {
      const { shares } = await gradientsOf([group], { beta: 0, ...options })
      const found = shares[0].rows.old ?? []
      const worst = Math.max(
        ...written.flatMap(({ logProbs = [] }, i) =>
          logProbs.map((value, t) => Math.abs(value - found[i][t])),
        ),
      )
      if ('topK' in options) t.ok(worst < 2e-5, `${worst.toExponential(1)} is nothing`)
      else t.ok(worst > 0.1, `over all tokens they are others by ${worst.toFixed(2)}`)
    }
  },
)

t.test("means of the shares' own means are another loss with other gradients", async t => {
  const wanted = await gradientsOf(whole, {})
  const naive = await gradientsOf(halves, { divisor: 'group' })
  t.ok(Math.abs(naive.metrics.loss / wanted.metrics.loss - 1) > 0.01)
  t.ok(distance(naive.gradients, wanted.gradients) > 0.01)
})

t.test('without advantages and KL there is no gradient at all', async t => {
  const equal = groupOfSome(completions.map(completion => ({ ...completion, advantage: 0 })))
  const { metrics, gradients } = await gradientsOf([equal], { beta: 0 })
  t.ok(gradients.every(gradient => gradient === 0))
  t.match(metrics, { loss: 0, kl: 0, grad_norm: 0 })
  const mixed = await gradientsOf([equal, ...whole], { beta: 0 })
  const alone = await gradientsOf(whole, { beta: 0 })
  const halved = alone.gradients.map(gradient => gradient / 2)
  t.ok(distance(mixed.gradients, halved) <= 1e-6, 'a group without gradient still counts in the divisor')
})

t.test('the first pass is the old policy of the updates that follow', async t => {
  const { shares } = await gradientsOf(whole, { beta: 0 })
  t.same(
    shares[0].rows.old?.map(row => row.length),
    lengths,
  )
  t.equal(shares[0].rows.reference, null)
})

t.test('truncated completions may be left out, and then do not matter', async t => {
  const options = { ...lossOptions(), ...preparing, truncated: 'mask' } as const
  const { rows } = await prepare(whole[0], policy, null, options)
  t.same(
    rows.mask.map(row => Array.from(row)),
    [[1, 1, 1, 1, 1], [1], Array(9).fill(0), [1, 1, 1]],
  )
})

t.test('the end of text may be left out', async t => {
  const options = { ...lossOptions(), ...preparing, endToken: 'leave-out' } as const
  const ends = groupOf([
    { ids: [5, 6, 9], advantage: 1 },
    { ids: [9, 5], advantage: 1, finished: false },
    { ids: [9], advantage: 1 },
  ])
  const { rows } = await prepare(ends, policy, null, options, [8, 9])
  t.same(
    rows.mask.map(row => Array.from(row)),
    [[1, 1, 0], [1, 1], [0]],
  )
})

t.test('what a group lacks is an error', async t => {
  const options = { ...lossOptions(), ...preparing } as const
  await t.rejects(prepare(groupOf([{ ids: [1] }]), policy, null, options), { code: 'missing-advantage' })
  const huge = groupOf([
    { ids: [1], advantage: 1 },
    { ids: [1], advantage: Number.POSITIVE_INFINITY, text: 'No.' },
  ])
  await t.rejects(prepare(huge, policy, null, options), {
    code: 'not-finite',
    message:
      /^the advantage of completion 2 of 2, "No\.": must be a number that float32 holds, found Infinity/,
  })
  const weighted = { ...options, importance: 'token' } as const
  await t.rejects(prepare(groupOf([{ ids: [1], advantage: 1 }]), policy, null, weighted), {
    code: 'missing-log-probs',
  })
  const given = groupOf([{ ids: [1], advantage: 1, logProbs: [-0.5] }])
  t.same((await prepare(given, policy, null, weighted)).rows.sampler, [[-0.5]])
})
