import { join } from 'node:path'
import t from 'tap'
import { encodeFrames } from '../../../kernels/networks/video-model.ts'
import type { Group } from '../../../operators/kinds.ts'
import { groupTrajectory, type Round, type Rule } from '../../oracle/trajectory.ts'
import { groupOf } from '../group.ts'
import { agree, follow, material, optimizerOf, smallCheckpoint, sourceOf, upload } from '../trajectory.ts'

const folder = t.testdir({})
const checkpoint = await smallCheckpoint(join(folder, 'checkpoint'))
const { random, clip, ids } = material(5)

/** Groups of two to four completions of 1 to 9 tokens, whose advantages do not add up to 0. */
const rounds = Array.from({ length: 20 }, (_, i): Round => {
  const completions = Array.from({ length: 2 + (i % 3) }, (_, k) => ids(1 + ((i * 5 + k * 4) % 9)))
  const advantages = completions.map((_, k) => Math.fround((k === 0 ? 1.3 : -0.4) + 0.5 * random.normal()))
  return { frames: clip(1 + (i % 2)), ids: [...ids(2 + (i % 3)), -200, ...ids(3)], completions, advantages }
})

const rule: Rule = {
  lr: 0.01,
  warmupRatio: 0.13,
  steps: 10,
  betas: [0.9, 0.98],
  eps: 1e-8,
  weight_decay: 0.1,
  clip: 4,
}

const sourceOfRounds = (some: readonly Round[]) =>
  sourceOf<Group>('group', async function* (_context, model) {
    for (const { frames, ids, completions, advantages } of some) {
      const pixels = upload(model, frames)
      const features = await encodeFrames(model, pixels)
      model.device.freeTensor(pixels)
      const group = groupOf(completions.map((ids, i) => ({ ids, advantage: advantages[i], reward: i })))
      yield {
        value: { ...group, prompt: { ...group.prompt, ids, features } },
        dispose: () => model.device.freeTensor(features),
      }
    }
  })

const published = { beta: 0.1, clip: null }
const clipped = { beta: 0.04, clip: [0.05, 0.08] } as const
for (const [name, loss, repeats, config] of [
  ['the published loss', published, 1, {}],
  [
    'the clipped token mean, each batch twice',
    clipped,
    2,
    { surrogate: 'clip', clipLow: 0.05, clipHigh: 0.08, aggregation: 'token-mean', updatesPerBatch: 2 },
  ],
] as const) {
  t.test(`10 GRPO updates are those of the oracle: ${name}`, async t => {
    const used = rounds.slice(0, 20 / repeats)
    const batches = used.flatMap((round, i) => (i % 2 ? [] : [[round, used[i + 1]]]))
    const wanted = await groupTrajectory(checkpoint, batches, rule, loss, repeats)
    const cut = wanted.gradientNorms.filter(norm => norm > rule.clip).length
    t.ok(cut > 0 && cut < 10, `${cut} of 10 gradients are clipped`)
    const resources = { model: 'policy', reference: 'reference', optimizer: 'optimizer' }
    const update = { ...resources, groupsPerUpdate: 2, beta: loss.beta, ...config }
    const path = checkpoint.folder
    const graph = {
      resources: {
        policy: { resource: 'model', config: { path, train: ['connector', 'language'] } },
        reference: { resource: 'model', config: { path } },
        optimizer: optimizerOf(rule),
      },
      nodes: {
        groups: { operator: 'test.source', config: { model: 'policy' } },
        update: { operator: 'grpo.update', config: update, from: { groups: 'groups.items' } },
      },
    }
    const found = await follow(join(folder, `run-${repeats}`), graph, sourceOfRounds(used))
    await agree(t, found, wanted)
    const cuts = found.metrics.filter(line => line['clip_ratio/region_mean'] > 0).length
    t.equal(cuts, repeats === 1 ? 0 : 4, 'every second update on a batch cuts, after the first, of rate 0')
  })
}
