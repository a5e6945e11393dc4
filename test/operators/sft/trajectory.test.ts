import { join } from 'node:path'
import t from 'tap'
import { encodeFrames } from '../../../kernels/networks/video-model.ts'
import type { Example } from '../../../operators/kinds.ts'
import { usuallyTrained } from '../../oracle/model.ts'
import { type Lesson, type Rule, supervisedTrajectory } from '../../oracle/trajectory.ts'
import { agree, follow, material, optimizerOf, smallCheckpoint, sourceOf, upload } from '../trajectory.ts'

const folder = t.testdir({})
const checkpoint = await smallCheckpoint(join(folder, 'checkpoint'))
const { clip, ids } = material(3)

/** Thirty updates of two passes of two conversations of unequal lengths; the last update and its last pass are short. */
const lessons = Array.from({ length: 30 * 4 - 1 }, (_, i): Lesson => {
  const learned = 1 + (i % 5)
  const text = [...ids(1 + (i % 3)), -200, ...ids(2 + learned)]
  const labels = text.map((id, at) => (at >= text.length - learned ? id : -100))
  return { frames: clip(1 + (i % 2)), ids: text, labels }
})
const updates = parted(parted(lessons, 2), 2)

const rule: Rule = {
  lr: 0.02,
  warmupRatio: 0.13,
  steps: 30,
  betas: [0.9, 0.98],
  eps: 1e-8,
  weight_decay: 0.1,
  clip: 2.5,
}

/** The examples of some updates: with features of a frozen tower, or with pixels for one that learns. */
const sourceFor = (count: number, withPixels: boolean) =>
  sourceOf<Example>('example', async function* (_context, model) {
    for (const { frames, ids, labels } of updates.slice(0, count).flat(2)) {
      const pixels = upload(model, frames)
      const seen = withPixels ? { pixels } : { features: await encodeFrames(model, pixels) }
      if (!withPixels) model.device.freeTensor(pixels)
      const sample = { video: '', question: '', fields: {} }
      const dispose = () => {
        for (const tensor of Object.values(seen)) model.device.freeTensor(tensor)
      }
      yield { value: { sample, text: '', ids, labels, ...seen }, dispose }
    }
  })

const isOfTower = (name: string) => name.startsWith('vision_tower.')
const secondBlock = { visionTune: 'partial', visionTuneFrom: 1 }
for (const [name, count, divisor, tune, alsoTrained] of [
  ['30 supervised updates', 30, 'update', {}, () => false],
  ['updates divided by batch', 8, 'batch', {}, () => false],
  ['updates of the whole tower', 6, 'update', { visionTune: 'full' }, isOfTower],
  ['updates of a part of it', 6, 'update', secondBlock, (name: string) => name.includes('encoder.layers.1.')],
] as const) {
  t.test(`${name} are those of the oracle`, async t => {
    const some = { ...rule, steps: count }
    const isTrained = (name: string) => usuallyTrained(name) || alsoTrained(name)
    const used = updates.slice(0, count)
    const wanted = await supervisedTrajectory(checkpoint, used, some, divisor, isTrained)
    const clipped = wanted.gradientNorms.filter(norm => norm > rule.clip).length
    if (count === 30) t.ok(clipped > 3 && clipped < 27, `${clipped} of ${count} gradients are clipped`)
    t.ok(wanted.losses[count - 1] < 0.99 * wanted.losses[0], 'the weights move far')
    const update = { model: 'policy', optimizer: 'optimizer', batchSize: 2, accumulation: 2, divisor }
    const policy = { path: checkpoint.folder, train: ['connector', 'language'], ...tune }
    const graph = {
      resources: { policy: { resource: 'model', config: policy }, optimizer: optimizerOf(some) },
      nodes: {
        examples: { operator: 'test.source', config: { model: 'policy' } },
        update: { operator: 'sft.update', config: update, from: { examples: 'examples.items' } },
      },
    }
    const source = sourceFor(count, 'visionTune' in tune)
    const found = await follow(join(folder, name), graph, source)
    await agree(t, found, wanted)
  })
}

function parted<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
}
