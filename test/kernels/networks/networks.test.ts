import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { generate } from '../../../kernels/networks/generation/batch-writer.ts'
import { encodeFrames, forward } from '../../../kernels/networks/video-model.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { positionalTable } from '../../../operators/model/parts/group-resampler.ts'
import { fixture } from '../../fixtures.ts'
import { checkCheckpoint } from '../../golden/checkpoint.ts'
import { relativeError } from '../../golden/row.ts'
import { type Case, cases } from '../../oracle/cases.ts'
import { readModel, usuallyTrained, visionFeatures } from '../../oracle/model.ts'
import { greedyIds, groupLogProbabilities } from '../../oracle/quantities.ts'
import { randomOf } from '../../oracle/random.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'
import { Tape } from '../../oracle/tape.ts'
import { writeCase } from '../../oracle/write-case.ts'

const device = await openDevice()
t.teardown(() => device.close())

t.test("a checkpoint's numbers are those of PyTorch", async t => checkAll(t, fixture('tiny-bf16')))

for (const sizes of cases) {
  t.test(`${sizes.name}: every number agrees with the oracle`, async t => {
    const folder = join(t.testdir({}), sizes.name)
    await writeCase(folder, sizes)
    await checkAll(t, folder)
  })
}

t.test("the positional table has PyTorch's bits", async t => {
  // Rows 1 of widths 66 and 2048; the first turns on rounding the exponent to float32.
  t.equal(positionalTable(2, 66)[66 + 18], 0.0810546875)
  const table = positionalTable(512, 2048)
  const [first, last] = [table.subarray(2048), table.subarray(511 * 2048)]
  t.same([...first.subarray(0, 4)], [0.84130859375, 0.54052734375, 0.83642578125, 0.5478515625])
  t.same([...last.subarray(0, 4)], [0.8818359375, -0.4716796875, -0.58740234375, -0.80908203125])
  t.same([...last.subarray(2046)], [0.051544189453125, 0.99853515625])
})

t.test('prompts that are packed together do not see each other', async t => {
  const sizes = caseOf('odd-sizes')
  const folder = join(t.testdir({}), sizes.name)
  await writeRandomCheckpoint(folder, sizes)
  const checkpoint = await openCheckpoint(folder)
  const oracle = await readModel(checkpoint, usuallyTrained)
  const model = await loadModel(device, checkpoint, ['connector', 'language'])
  t.teardown(() => model.weights.free())
  const random = randomOf(1)
  const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random.uniform() * 390))
  const side = sizes.vision.image_size
  const clipOf = (frames: number) => {
    const values = Float32Array.from({ length: frames * 3 * side * side }, () => 2 * random.uniform() - 1)
    return { values, tensor: device.tensor('frames', [frames, 3, side, side], 'f32', values) }
  }
  // A clip in the middle, none at all, a longer clip before any text; completions of 1 and of unequal lengths.
  const prompts = [
    { ids: [...ids(5), -200, ...ids(3)], clip: clipOf(1), completions: [ids(1), ids(6)] },
    { ids: ids(1), clip: null, completions: [ids(4)] },
    { ids: [-200, ...ids(2)], clip: clipOf(2), completions: [ids(3), ids(2), ids(5)] },
  ]
  const sequences = []
  for (const { clip, ...prompt } of prompts)
    sequences.push(clip ? { ...prompt, features: await encodeFrames(model, clip.tensor) } : prompt)

  const pass = await forward(model, sequences, true)
  const coefficients = Float32Array.from(pass.logProbs, () => random.normal())
  pass.backward(coefficients)
  pass.free()
  const expected: number[] = []
  for (const { ids, clip, completions } of prompts) {
    const features = clip && visionFeatures(oracle, Float64Array.from(clip.values))
    const tape = new Tape()
    const logProbs = groupLogProbabilities(tape, oracle, features, ids, completions)
    tape.backward(logProbs, coefficients.subarray(expected.length, expected.length + logProbs.data.length))
    expected.push(...logProbs.data)
  }
  within(t, 'log-probabilities', relativeError(pass.logProbs, expected), 2e-5)
  for (const [name, { gradient }] of model.weights.byName) {
    if (!gradient) continue
    const wanted = oracle.weights.get(name)?.gradient ?? []
    within(t, `gradient of ${name}`, relativeError(await device.read(gradient), wanted), 2e-4)
  }

  const requests = sequences.map((sequence, i) => ({ ...sequence, completions: [], seeds: [i, i] }))
  const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }
  const written = await generate(model, requests, greedy, { maxNewTokens: 11, endIds: [397] })
  for (const [i, { ids, clip }] of prompts.entries()) {
    const alone = await greedyIds(checkpoint, clip && Float64Array.from(clip.values), ids, 11)
    t.same(written[i], [alone, alone], `completions of prompt ${i}`)
  }
})

type Test = Pick<typeof t, 'ok'>

async function checkAll(t: Test, folder: string): Promise<void> {
  for (const { name, error, bound } of await checkCheckpoint(folder, device, 'float32'))
    within(t, name, error, bound)
}

function within(t: Test, name: string, error: number, bound: number): void {
  t.ok(error <= bound, `${name}: ${error.toExponential(1)} <= ${bound}`)
}

function caseOf(name: string): Case {
  const found = cases.find(sizes => sizes.name === name)
  if (!found) throw new Error(`no case ${name}`)
  return found
}
