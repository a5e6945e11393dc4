import { join } from 'node:path'
import t from 'tap'
import { advance } from '../../../kernels/cache.ts'
import { type MatrixUnits, openDevice } from '../../../kernels/device.ts'
import { blockSteps, canDecodeInBlocks } from '../../../kernels/networks/block-steps.ts'
import { pack } from '../../../kernels/networks/packing.ts'
import { rowSteps } from '../../../kernels/networks/row-steps.ts'
import { compile, Plan } from '../../../kernels/plan.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint.ts'
import { loadModel } from '../../../operators/model/load-model.ts'
import { cases } from '../../oracle/cases.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'
import { close, noise } from '../support.ts'

const folder = join(t.testdir({}), 'checkpoint')
const text = { hidden_size: 32, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2 }
await writeRandomCheckpoint(folder, {
  ...cases[0],
  text: { ...cases[0].text, ...text, num_key_value_heads: 1, head_dim: 16 },
})
const checkpoint = await openCheckpoint(folder)
const owners = [0, 0, 1]
const drawn = [
  [7, 300, 7],
  [12, 0, 91],
]

/** Logits of two steps behind prompts of made-up keys and values. */
async function logitsOf(units: MatrixUnits, trained: readonly 'language'[]) {
  const device = await openDevice({ family: 'gpu', units })
  try {
    const model = await loadModel(device, checkpoint, trained, 'float16')
    const { layers, keyValueHeads, headSize } = model.shape.language
    const packing = pack([{ ids: [1, 2, 3, 4, 5] }, { ids: [6] }], 0, 100)
    const plan = new Plan(device, 'float16')
    const [position, ids] = [plan.pin('position', [1], 'u32'), plan.pin('ids', [3], 'u32')]
    const isFast = canDecodeInBlocks(plan, model.weights, model.shape.language)
    t.equal(isFast, units !== 'none')
    const record = isFast ? blockSteps : rowSteps
    const steps = record(plan, model, { owners, packing, capacity: 3, position, ids })
    for (let layer = 0; layer < layers; layer++) {
      const [keys, values] = [0, 1].map(i => {
        const tensor = plan.pin('prefix', [packing.rows, keyValueHeads * headSize])
        plan.constants.set(tensor, noise(packing.rows * keyValueHeads * headSize, 2 * layer + i + 1))
        return tensor
      })
      steps.keep(layer, keys, values)
    }
    plan.segment('step')
    const logits = steps.record()
    plan.pinned.add(logits)
    advance(plan, { position })
    const compiled = await compile(device, plan, 'test')
    compiled.write(position, new Uint32Array(1))
    compiled.run(['main'])
    const found: number[] = []
    for (const tokens of drawn) {
      compiled.write(ids, Uint32Array.from(tokens))
      compiled.run(['step'])
      found.push(...(await compiled.read(logits)))
    }
    return found
  } finally {
    device.close()
  }
}

t.test('steps in blocks compute what steps in rows compute', async t => {
  const wanted = await logitsOf('none', [])
  close(t, await logitsOf('emulated', []), wanted, 2e-3, 'frozen weights in float16')
  close(t, await logitsOf('emulated', ['language']), wanted, 2e-3, 'copies of trained weights')
})
