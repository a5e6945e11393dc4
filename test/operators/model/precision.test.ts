import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device.ts'
import { promptStates } from '../../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint.ts'
import { loadModel } from '../../../operators/model/load-model.ts'
import { close } from '../../kernels/support.ts'
import { cases } from '../../oracle/cases.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'

const folder = join(t.testdir({}), 'checkpoint')
// Widths that are multiples of 8, except one: matrix units read so many at once.
const text = { ...cases[0].text, hidden_size: 32, head_dim: 8 }
await writeRandomCheckpoint(folder, { ...cases[0], text })
const checkpoint = await openCheckpoint(folder)
const ids = Array.from({ length: 19 }, (_, i) => 3 + i * 7)

t.test('a float16 model gives nearly the logits of the float32 one', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const exact = await loadModel(device, checkpoint, [])
  const half = await loadModel(device, checkpoint, ['connector'], 'float16')
  const kept = [...half.weights.byName.values()].map(({ value }) => value.type)
  t.ok(kept.includes('f16'))
  t.notOk([...half.weights.byName.values()].some(({ gradient, value }) => gradient && value.type === 'f16'))
  const wanted = await promptStates(exact, { ids })
  const found = await promptStates(half, { ids })
  close(t, found.logits, wanted.logits, 5e-3)
  t.notSame(found.logits, wanted.logits)
})
