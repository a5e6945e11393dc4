import { join } from 'node:path'
import t from 'tap'
import { encodeFrames } from '../../../kernels/networks/video-model.ts'
import type { Example } from '../../../operators/kinds.ts'
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

const source = sourceOf<Example>('example', async function* (_context, model) {
  for (const { frames, ids, labels } of lessons) {
    const pixels = upload(model, frames)
    const features = await encodeFrames(model, pixels)
    model.device.freeTensor(pixels)
    const sample = { video: '', question: '', fields: {} }
    yield {
      value: { sample, text: '', ids, labels, features },
      dispose: () => model.device.freeTensor(features),
    }
  }
})

for (const divisor of ['update', 'batch'] as const) {
  t.test(`30 supervised updates are those of the oracle, dividing by ${divisor}`, async t => {
    const wanted = await supervisedTrajectory(checkpoint, updates, rule, divisor)
    const clipped = wanted.gradientNorms.filter(norm => norm > rule.clip).length
    t.ok(clipped > 3 && clipped < 27, `${clipped} of 30 gradients are clipped`)
    t.ok(wanted.losses[29] < 0.95 * wanted.losses[0], 'the weights move far')
    const update = { model: 'policy', optimizer: 'optimizer', batchSize: 2, accumulation: 2, divisor }
    const graph = {
      resources: {
        policy: {
          resource: 'model',
          config: { path: checkpoint.folder, train: ['connector', 'language'] },
        },
        optimizer: optimizerOf(rule),
      },
      nodes: {
        examples: { operator: 'test.source', config: { model: 'policy' } },
        update: { operator: 'sft.update', config: update, from: { examples: 'examples.items' } },
      },
    }
    await agree(t, await follow(join(folder, divisor), graph, source), wanted)
  })
}

function parted<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
}
