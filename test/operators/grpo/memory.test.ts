import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { encodeFrames } from '../../../kernels/networks/video-model.ts'
import { sharedDevice } from '../../../operators/device.ts'
import type { Group } from '../../../operators/kinds.ts'
import { groupOf } from '../group.ts'
import { follow, material, sinkOf, smallCheckpoint, sourceOf, upload } from '../trajectory.ts'

const folder = t.testdir({})
const checkpoint = await smallCheckpoint(join(folder, 'checkpoint'))
const updates = 30

t.test(`${updates} updates leave as many bytes on the GPU as one`, async t => {
  const { clip, ids } = material(5)
  const frames = clip(2)
  // Three kinds of groups: what an update leaves must not depend on its size either.
  const groups = [1, 4, 9].map(length => {
    const completions = [ids(length), ids(2 * length)]
    return groupOf(completions.map((ids, i) => ({ ids, advantage: 0.7 - 1.4 * i, reward: i })))
  })
  const bytes: number[] = []
  const looked = new EventEmitter()
  const source = sourceOf<Group>('group', async function* (_context, model) {
    const pixels = upload(model, frames)
    const features = await encodeFrames(model, pixels)
    model.device.freeTensor(pixels)
    for (let i = 0; i < updates; i++) {
      const group = groups[i % groups.length]
      const after = once(looked, 'update')
      yield {
        value: { ...group, prompt: { ...group.prompt, ids: [7, -200, 8], features } },
        dispose: () => {},
      }
      await after
    }
    model.device.freeTensor(features)
  })
  const sink = sinkOf('version', async (_version, context) => {
    bytes.push((await sharedDevice(context)).liveBytes)
    looked.emit('update')
  })
  const path = checkpoint.folder
  const update = { model: 'policy', reference: 'reference', optimizer: 'optimizer' }
  const graph = {
    resources: {
      policy: { resource: 'model', config: { path, train: ['connector', 'language'] } },
      reference: { resource: 'model', config: { path } },
      optimizer: { resource: 'adamw', config: { model: 'policy', steps: updates } },
    },
    nodes: {
      groups: { operator: 'test.source', config: { model: 'policy' } },
      update: { operator: 'grpo.update', config: update, from: { groups: 'groups.items' } },
      look: { operator: 'test.sink', from: { items: 'update.version' } },
    },
  }
  const { metrics, leaked } = await follow(join(folder, 'run'), graph, source, sink)
  t.equal(metrics.length, updates)
  t.equal(leaked, 0)
  t.equal(bytes.length, updates)
  t.same([...new Set(bytes)], bytes.slice(0, 1))
})
