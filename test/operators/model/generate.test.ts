import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { operators, resources } from '../../../operators/index.ts'
import type { Group, Prompt } from '../../../operators/kinds.ts'
import type { LoadedModel } from '../../../operators/model/checkpoint/load-model.ts'
import { fixture } from '../../fixtures.ts'
import { noise } from '../../kernels/support.ts'

/** Prompts of several lengths, with features of their own that are freed with them. */
const prompts = (alive: { now: number; most: number }, count: number) =>
  operator({
    summary: 'Makes prompts up.',
    config: { model: { type: 'string', resource: 'model', description: 'Who is asked.' } },
    inputs: {},
    outputs: { prompts: 'prompt' },
    run: (_, { model: name }, context) => ({
      prompts: context.source<Prompt>(async function* () {
        const { device, shape } = context.resource<LoadedModel>(name)
        const extents = [shape.vision.frameTokens, shape.vision.hidden]
        for (let key = 0; key < count; key++) {
          const ids = Array.from({ length: 1 + ((key * 5) % 17) }, (_, i) => 1 + ((i * 7 + key) % 90))
          ids[key % 2] = -200
          const features = device.tensor('features', extents, 'f32', noise(extents[0] * extents[1], key + 1))
          alive.most = Math.max(alive.most, ++alive.now)
          const dispose = () => {
            alive.now--
            device.freeTensor(features)
          }
          const sample = { video: '', question: '', fields: {} }
          yield { key, value: { sample, text: '', ids, features }, dispose }
        }
      }),
    }),
  })

interface Seen {
  key: string
  ids: number[][]
}

function start(directory: string, config: object, count: number, onGroup: (seen: Seen) => void = () => {}) {
  const alive = { now: 0, most: 0 }
  const seen: Seen[] = []
  const collect = operator({
    summary: 'Keeps what was written.',
    config: {},
    inputs: { groups: 'group' },
    outputs: {},
    run: ({ groups }, _, context) => ({
      none: groups.pipe(
        context.each(({ completions }: Group, { key }) => {
          seen.push({ key, ids: completions.map(({ ids }) => [...ids]) })
          onGroup(seen[seen.length - 1])
          return undefined
        }),
      ),
    }),
  })
  const graph = {
    version: 1,
    summary: 'A test.',
    resources: { model: { resource: 'model', config: { path: fixture('tiny-bf16') } } },
    nodes: {
      prompts: { operator: 'prompts', config: { model: 'model' } },
      groups: {
        operator: 'model.generate',
        config: { model: 'model', count: 2, ...config },
        from: { prompts: 'prompts.prompts' },
      },
      kept: { operator: 'collect', from: { groups: 'groups.groups' } },
    },
  }
  const registry = { operators: { ...operators, prompts: prompts(alive, count), collect }, resources }
  const plan = loadGraph('test.json', registry, { read: () => JSON.stringify(graph) })
  return { run: startRun(plan, { seed: 3, directory: join(directory, `run-${++runs}`) }), seen, alive }
}

let runs = 0

t.test('groups do not depend on the slots, and come in the order of the prompts', async t => {
  const folder = t.testdir()
  const config = { maxNewTokens: 19, stop: ['e', 'a'] }
  const alone = start(folder, { ...config, slots: 1 }, 20)
  t.match(await alone.run.done, { status: 'completed', leaked: 0 })
  t.ok(new Set(alone.seen.flatMap(({ ids }) => ids.map(row => row.length))).size > 2, 'lengths differ')
  const together = start(folder, { ...config, slots: 3 }, 20)
  t.match(await together.run.done, { status: 'completed', leaked: 0 })
  t.same(together.seen, alone.seen)
  t.same([alone.alive.now, together.alive.now], [0, 0], 'all prompts are freed')
  // Three are being completed and three have ended after the first; edges and the source hold a few.
  t.ok(together.alive.most <= 12, `${together.alive.most} prompts alive at most`)
})

t.test('an abort in the middle ends the run and leaks nothing', async t => {
  const abort = () => stopped.run.abort()
  const stopped = start(t.testdir(), { maxNewTokens: 400, slots: 2 }, 6, abort)
  t.match(await stopped.run.done, { status: 'aborted', leaked: 0 })
  t.ok(stopped.seen.length < 6)
  t.equal(stopped.alive.now, 0)
})
