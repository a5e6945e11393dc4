import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { imagePlaceholderId, type Sequence } from '../../../kernels/networks/packing.ts'
import type { Sample } from '../../../operators/kinds.ts'
import type { ScheduledOptimizer } from '../../../operators/model/adamw.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import modelRandom, { writeRandomCheckpoint } from '../../../operators/model/random.ts'
import { exampleOf } from '../../../operators/sft/encode.ts'
import { type Divisor, learn } from '../../../operators/sft/train.ts'
import { templates } from '../../../operators/text/template.ts'
import { fixture } from '../../fixtures.ts'
import { close, given, noise } from '../../kernels/support.ts'

const defaults = Object.fromEntries(
  Object.entries(modelRandom.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as Parameters<typeof writeRandomCheckpoint>[1] // every field but the folder has a default
const folder = t.testdir()
const sizes = {
  hidden: 32,
  intermediate: 48,
  layers: 2,
  visionHidden: 16,
  visionHeads: 2,
  queries: 5,
  group: 2,
  maxLength: 60,
}
await writeRandomCheckpoint(folder, {
  ...defaults,
  ...sizes,
  folder,
  tokenizer: fixture('prompts'),
  dtype: 'float32',
})
const device = await openDevice()
const model = await loadModel(device, await openCheckpoint(folder), ['connector', 'language'])
t.teardown(() => device.close())

/** A conversation of noise whose last `learned` tokens are labelled. */
function sequence(seed: number, length: number, learned: number): Sequence {
  const ids = [3, imagePlaceholderId, ...Array.from({ length }, (_, i) => 20 + ((seed * 53 + i * 17) % 300))]
  const labels = ids.map((id, i) => (i >= ids.length - learned ? id : -100))
  return { ids, labels, features: given(device, [4, 16, 16], noise(4 * 16 * 16, seed)) }
}
const long = sequence(1, 40, 30)
const short = sequence(2, 5, 1)
const middle = sequence(3, 17, 9)

/** Loss and gradients of one step, the weights left as they are. */
async function gradientsOf(batches: readonly (readonly Sequence[])[], divisor: Divisor) {
  let gradients: number[] = []
  const clearGradients = () => {
    for (const { gradients: slab } of model.weights.slabs) device.write(slab, new Float32Array(slab.shape[0]))
  }
  clearGradients()
  const optimizer: ScheduledOptimizer = {
    steps: 0,
    moments: () => {
      throw new Error('nothing is saved here')
    },
    clearGradients,
    free: () => {},
    learningRate: () => 0,
    peakLearningRate: 0,
    totalSteps: 1,
    async step() {
      const read = await Promise.all(model.weights.slabs.map(slab => device.read(slab.gradients)))
      gradients = read.flatMap(slab => [...slab])
      return { gradientNorm: Math.hypot(...gradients), applied: true }
    },
  }
  return { ...(await learn(batches, model, optimizer, divisor)), gradients }
}

const relative = (a: number, b: number) => Math.abs(a - b) / Math.abs(b)

t.test('dividing a batch into passes changes neither loss nor gradients', async t => {
  const whole = await gradientsOf([[long, short, middle]], 'update')
  t.equal(whole.tokens, 40)
  const parts = await gradientsOf([[long], [short, middle]], 'update')
  t.ok(relative(parts.loss, whole.loss) < 1e-6, `${parts.loss} is ${whole.loss}`)
  close(t, parts.gradients, whole.gradients, 1e-5)
})

t.test('the mean of means is another number when passes hold different numbers of tokens', async t => {
  const whole = await gradientsOf([[long, short, middle]], 'update')
  const means = await gradientsOf([[long], [short], [middle]], 'batch')
  const alone = await Promise.all([long, short, middle].map(one => gradientsOf([[one]], 'update')))
  const mean = alone.reduce((sum, { loss }) => sum + loss, 0) / 3
  t.ok(relative(means.loss, mean) < 1e-6)
  t.ok(relative(means.loss, whole.loss) > 1e-3, 'a naive divisor would be seen')
})

t.test('a batch of which the length limit leaves nothing to learn is an error', async t => {
  const cut = sequence(4, 70, 3)
  await t.rejects(gradientsOf([[cut]], 'update'), { code: 'nothing-to-learn', message: /60 tokens/ })
})

t.test('a conversation needs one clip and an answer', t => {
  const messages = (question: string) => [
    { from: 'human', value: question },
    { from: 'gpt', value: 'Yes.' },
  ]
  const example = (sample: Partial<Sample>) =>
    exampleOf(
      model.tokenizer,
      templates.qwen2_base,
      {
        sample: { video: 'a.mp4', question: '', fields: {}, ...sample },
        clip: { seconds: [0], durationSeconds: 1 },
      },
      'k',
    )
  t.equal(
    example({ conversations: messages('<image>\nIs it?') }).ids.filter(id => id === imagePlaceholderId)
      .length,
    1,
  )
  t.throws(() => example({ conversations: messages('Is it?') }), {
    code: 'image-count',
    message: /k \(a.mp4\).* found 0/,
  })
  t.throws(() => example({}), { code: 'no-conversation' })
  t.end()
})
