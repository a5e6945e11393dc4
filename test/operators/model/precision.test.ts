import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device.ts'
import { promptStates } from '../../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint.ts'
import { loadModel } from '../../../operators/model/load-model.ts'
import { close } from '../../kernels/support.ts'
import { cases } from '../../oracle/cases.ts'
import { readModel } from '../../oracle/model.ts'
import { nextLogits } from '../../oracle/quantities.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'

const folder = join(t.testdir({}), 'checkpoint')
// Widths that are multiples of 8, except one: matrix units read so many at once.
const text = { ...cases[0].text, hidden_size: 32, head_dim: 8, num_hidden_layers: 1 }
await writeRandomCheckpoint(folder, { ...cases[0], text })
const checkpoint = await openCheckpoint(folder)
const device = await openDevice()
t.teardown(() => device.close())
const model = await loadModel(device, checkpoint, ['connector'], 'float16')

t.test('frozen matrices are kept in float16, trained ones are not', async t => {
  const weights = [...model.weights.byName.values()]
  t.ok(weights.some(({ value }) => value.type === 'f16'))
  t.notOk(weights.some(({ gradient, value }) => gradient && value.type === 'f16'))
})

t.test('a float16 model gives nearly the logits of the float64 oracle', async t => {
  const ids = [3, 10, 17, 24, 31]
  const wanted = nextLogits(await readModel(checkpoint), ids, [])
  const { logits } = await promptStates(model, { ids })
  const found = logits.slice(-wanted.length)
  close(t, found, wanted, 5e-3)
  t.not(Math.fround(wanted[0]), found[0])
})
