import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { forward } from '../../../kernels/networks/video-model.ts'
import { resolvePath } from '../../../operators/builtin.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { writeNewCheckpoint } from '../../../operators/model/checkpoint/new-checkpoint.ts'

const folder = join(t.testdir(), 'model')
const config = `${folder}.json`
writeFileSync(config, readFileSync(resolvePath('builtin:configurations/small.json'), 'utf8'))
const options = { config, tokenizer: 'builtin:tokenizer', seed: 1, dtype: 'float32' } as const
for await (const _ of writeNewCheckpoint(folder, options));
const device = await openDevice()
t.teardown(() => device.close())

const first = { ids: [1, 2, 3, 4], completions: [[5, 6, 7], [8]] }
const second = { ids: [4, 9, 1, 7], completions: [[2, 2, 5], [6]] }
const longer = { ids: [1, 2, 3, 4, 5], completions: [[5, 6, 7], [8]] }

await t.test('a forward that reuses a recording computes with its own tokens', async t => {
  const checkpoint = await openCheckpoint(folder)
  const model = await loadModel(device, checkpoint, ['language'])
  const run = async (sequence: typeof first, training: boolean) => {
    const pass = await forward(model, [sequence], training)
    pass.free()
    return pass.logProbs
  }
  for (const sequence of [first, second, longer, first])
    t.same(await run(sequence, false), await run(sequence, true))
  // Both are in flight at once.
  const both = await Promise.all([run(first, false), run(second, false)])
  t.same(both, [await run(first, true), await run(second, true)])
  model.weights.free()
})
