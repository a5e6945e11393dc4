import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { promptStates } from '../../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import modelResource from '../../../operators/model/model.ts'
import { close } from '../../kernels/support.ts'
import { cases } from '../../oracle/cases.ts'
import { readModel } from '../../oracle/model.ts'
import { nextLogits } from '../../oracle/quantities.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'
import { plainContext } from '../context.ts'

const folder = join(t.testdir({}), 'checkpoint')
// Widths that are multiples of 8, except one: matrix units read 8 at once.
const text = { ...cases[0].text, hidden_size: 32, head_dim: 8, num_hidden_layers: 1 }
await writeRandomCheckpoint(folder, { ...cases[0], text })
const checkpoint = await openCheckpoint(folder)
const device = await openDevice()
t.teardown(() => device.close())
const model = await loadModel(device, checkpoint, ['connector'], 'float16')

const config = {
  path: folder,
  train: [],
  visionTune: 'frozen',
  visionTuneFrom: 0,
  weights: 'stored',
  groupSize: 128,
  precision: 'float16',
  recompute: 'none',
  adapter: '',
  lora: 0,
  loraRank: 8,
  loraAlpha: 16,
  loraTargets: ['q_proj'],
  loraSeed: 0,
} as const

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

t.test(
  'a model that is closed says how often numbers were cut to the range of float16 unreported',
  async t => {
    const said: unknown[] = []
    const context = {
      ...plainContext,
      shared: (async () => device) as (typeof plainContext)['shared'], // the one thing that is shared is the device
      log: (...words: unknown[]) => said.push(words),
    }
    for (const cuts of [0, 3]) {
      const opened = await modelResource.open(config, context)
      const counter = opened.weights.lossScale?.forwardCuts
      if (counter) device.write(counter, Uint32Array.of(cuts))
      await modelResource.close(opened)
    }
    t.same(said, [
      [`${folder}: activations were clamped to float16's range 3 times outside of updates`, 'warn'],
    ])
  },
)

t.test(
  'a model of precision auto says that products are in float32 where there are no matrix units',
  async t => {
    for (const [units, said] of [
      ['none', [`${folder}: products are in float32: ${device.info.device} has no matrix units for float16`]],
      ['emulated', []],
    ] as const) {
      const adapter = await openDevice({ family: 'gpu', units })
      t.teardown(() => adapter.close())
      const words: string[] = []
      const context = {
        ...plainContext,
        shared: (async () => adapter) as (typeof plainContext)['shared'], // the one thing that is shared is the device
        log: (message: string) => words.push(message),
      }
      const opened = await modelResource.open({ ...config, precision: 'auto' }, context)
      t.equal(opened.precision, units === 'none' ? 'float32' : 'float16')
      t.same(words, said)
      await modelResource.close(opened)
    }
  },
)
