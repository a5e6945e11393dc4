import { join } from 'node:path'
import t from 'tap'
import { advance } from '../../../../kernels/decode/key-value-cache.ts'
import type { MatrixUnits } from '../../../../kernels/device/adapter.ts'
import { openDevice } from '../../../../kernels/device/device.ts'
import { sizeOf, type Tensor } from '../../../../kernels/device/tensor.ts'
import { copy } from '../../../../kernels/elementwise/copy.ts'
import { canStepFast, fastSteps } from '../../../../kernels/networks/generation/fast-steps.ts'
import { plainSteps, promptsOf } from '../../../../kernels/networks/generation/plain-steps.ts'
import { pack } from '../../../../kernels/networks/packing.ts'
import { compile } from '../../../../kernels/plan/compile.ts'
import { Recording } from '../../../../kernels/plan/recording.ts'
import { newAdapter } from '../../../../operators/model/checkpoint/adapter.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { integersOf } from '../../../../operators/model/checkpoint/frozen-weights.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { relativeError } from '../../../golden/row.ts'
import { cases } from '../../../oracle/cases.ts'
import { writeRandomCheckpoint } from '../../../oracle/random-checkpoint.ts'
import { close, noise } from '../../support.ts'

t.testdir({})
const text = { hidden_size: 32, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2 }
const sizes = { ...cases[0], text: { ...cases[0].text, ...text, num_key_value_heads: 1, head_dim: 16 } }
const written = async (language: 'qwen2' | 'qwen3') => {
  const folder = join(t.testdirName, language)
  await writeRandomCheckpoint(folder, sizes, language)
  return openCheckpoint(folder)
}
const checkpoints = { qwen2: await written('qwen2'), qwen3: await written('qwen3') }
const owners = [0, 0, 1]
const drawn = [
  [7, 300, 7],
  [12, 0, 91],
]

const lora = { rank: 8, alpha: 8, targets: ['v_proj', 'down_proj'], seed: 1 }

/** How the model differs from its checkpoint. */
interface Variant {
  /** By default qwen2. In qwen3 queries and keys are normed. */
  language?: keyof typeof checkpoints
  trained?: readonly 'language'[]
  /** Every layer has an adapter whose product is not zero. */
  adapted?: boolean
  /** Prompts are prefilled by recordings of their own after the steps are recorded, as in slots. */
  admitted?: boolean
  /** Positions of the first prompt go on far behind its rows, as after a clip whose moments are seconds apart. */
  apart?: boolean
  /** Frozen matrices are integers. */
  weights?: 'int4' | 'int8'
}

/** Two empty slots. */
const emptySlots = [
  { start: 0, length: 0, next: 0, room: 70 },
  { start: 70, length: 0, next: 0, room: 3 },
]
const slots = { prompts: () => emptySlots, rows: 73, positions: 100 }

const unchanged = (tensor: Tensor): Tensor => tensor

/** Logits of two steps after prompts whose keys and values are noise. */
async function logitsOf(
  units: MatrixUnits,
  {
    language = 'qwen2',
    trained = [],
    adapted = false,
    admitted = false,
    apart = false,
    weights = undefined,
  }: Variant = {},
) {
  const device = await openDevice({ family: 'gpu', units })
  const checkpoint = checkpoints[language]
  try {
    const adapter = adapted ? { source: newAdapter(checkpoint, lora), trained: true } : undefined
    const integers = weights && integersOf({ weights, groupSize: 16 })
    const model = await loadModel(device, checkpoint, trained, 'float16', adapter, integers)
    for (const { adapter: weightAdapter } of model.weights.byName.values())
      if (weightAdapter)
        device.write(
          weightAdapter.up.value,
          noise(sizeOf(weightAdapter.up.shape), 3).map(value => value / 4),
        )
    const { layers, keyValueHeads, headSize } = model.shape.language
    const clip = apart ? { count: 4, grid: { rows: 1, columns: 2 }, interval: 70.5 } : { count: 4 }
    const packing = pack([{ ids: [1, -200] }, { ids: [6] }], () => clip, 100)
    t.same(packing.prompts[0], { start: 0, length: 5, next: apart ? 72 : 5 })
    const recording = new Recording(device, 'float16')
    const [position, ids] = [recording.pin('position', [3], 'u32'), recording.pin('ids', [3], 'u32')]
    const isFast = canStepFast(recording, model.weights, model.shape.language)
    t.equal(isFast, units !== 'none')
    const record = isFast ? fastSteps : plainSteps
    const prompts = admitted ? slots : promptsOf({ packing }, 1)
    const steps = record(recording, model, { ...prompts, owners, capacity: 3, position, ids })
    const width = keyValueHeads * headSize
    /** Stores the noise that serves as keys and values of some rows. */
    const store = (into: Recording, from: number, count: number, at: number, locate = unchanged) => {
      for (let layer = 0; layer < layers; layer++) {
        const [keys, values] = [0, 1].map(i => {
          const all = noise(packing.rows * width, 2 * layer + i + 1)
          return into.constant('prefix', [count, width], all.slice(from * width, (from + count) * width))
        })
        const stored = steps.promptStore(layer)
        for (const [from, to] of [[keys, stored.keys] as const, [values, stored.values] as const])
          copy(into, { from, into: locate(to.tensor), at: to.at + at * width })
      }
    }
    if (!admitted) store(recording, 0, packing.rows, 0)
    recording.segment('step')
    const logits = steps.recordStep()
    recording.pinned.add(logits)
    advance(recording, { position, limit: 3 })
    const compiled = await compile(device, recording, 'test')
    compiled.write(position, new Uint32Array(3))
    compiled.run(['main'])
    for (const [i, { start, length, next }] of (admitted ? packing.prompts : []).entries()) {
      const prefill = new Recording(device, 'float16')
      const locate = (tensor: Tensor) => compiled.at(tensor)
      store(prefill, start, length, slots.prompts()[i].start, locate)
      const compiledPrefill = await compile(device, prefill, 'prefill')
      compiledPrefill.run()
      compiledPrefill.free()
      for (const { into, at, data } of steps.promptWrites(i, { length, next })) compiled.write(into, data, at)
    }
    const stepLogits: number[] = []
    for (const tokens of drawn) {
      compiled.write(ids, Uint32Array.from(tokens))
      compiled.run(['step'])
      stepLogits.push(...(await compiled.read(logits)))
    }
    return stepLogits
  } finally {
    device.close()
  }
}

const plainLogits = logitsOf('none')

t.test('fast steps compute the logits that plain steps compute', async t => {
  const wanted = await plainLogits
  const inSlots = await logitsOf('emulated', { admitted: true })
  close(t, inSlots, wanted, 2e-3, 'frozen weights in float16, prompts that are admitted later')
  close(t, await logitsOf('emulated', { trained: ['language'] }), wanted, 2e-3, 'copies of trained weights')
})

t.test('completions go on at the position after a prompt, however many rows it has', async t => {
  const wanted = await logitsOf('none', { apart: true })
  close(t, await logitsOf('emulated', { apart: true }), wanted, 2e-3, 'in a batch')
  close(t, await logitsOf('emulated', { apart: true, admitted: true }), wanted, 2e-3, 'in slots')
  close(t, await logitsOf('none', { apart: true, admitted: true }), wanted, 1e-6, 'by plain steps in slots')
  t.ok(relativeError(wanted, await plainLogits) > 1e-2, 'the position matters')
})

t.test('queries and keys are normed head by head', async t => {
  const language = 'qwen3'
  const wanted = await logitsOf('none', { language })
  close(t, await logitsOf('emulated', { language }), wanted, 2e-3, 'in a batch')
  close(t, await logitsOf('emulated', { language, admitted: true }), wanted, 2e-3, 'in slots')
  const adapted = await logitsOf('none', { language, adapted: true })
  close(t, await logitsOf('emulated', { language, adapted: true }), adapted, 2e-3, 'with adapters')
})

t.test('fast steps multiply by the sum of weight and adapter', async t => {
  const wanted = await logitsOf('none', { adapted: true })
  const found = await logitsOf('emulated', { adapted: true })
  close(t, found, wanted, 2e-3, 'the same logits')
  t.same(likeliest(found), likeliest(wanted), 'the same tokens when nothing is drawn')
  t.ok(relativeError(wanted, await plainLogits) > 0.1, 'the adapter matters')
})

for (const weights of ['int8', 'int4'] as const)
  for (const adapted of [false, true])
    t.test(
      `fast steps of ${weights}${adapted ? ' with adapters' : ''} compute the logits of plain steps`,
      async t => {
        const wanted = await logitsOf('none', { weights, adapted })
        const found = await logitsOf('emulated', { weights, adapted })
        close(t, found, wanted, 2e-3, 'the same logits')
        t.same(likeliest(found), likeliest(wanted), 'the same tokens when nothing is drawn')
        t.ok(relativeError(wanted, await logitsOf('none', { adapted })) > 1e-3, 'rounding matters')
      },
    )

/** The most likely token of each row. */
function likeliest(logits: readonly number[]): number[] {
  const rows = owners.length * drawn.length
  const vocabulary = logits.length / rows
  return Array.from({ length: rows }, (_, row) => {
    const ofRow = logits.slice(row * vocabulary, (row + 1) * vocabulary)
    return ofRow.indexOf(Math.max(...ofRow))
  })
}
