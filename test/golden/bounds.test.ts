import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { shapeOf } from '../../operators/model/checkpoint/load-model.ts'
import { fixture } from '../fixtures.ts'
import type { ExpectedJson } from '../oracle/expected-json.ts'
import { float16Value } from '../oracle/float16.ts'
import * as model from '../oracle/model.ts'
import { labelLogProbabilities } from '../oracle/quantities.ts'
import { Tape } from '../oracle/tape.ts'
import { boundsOf } from './bounds.ts'
import { openExpected } from './expected.ts'
import { type Row, relativeError, row } from './row.ts'

const folder = fixture('tiny-bf16')
const checkpoint = await openCheckpoint(folder)
const json: ExpectedJson = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
const expected = await openExpected(join(folder, 'expected.safetensors'))
const bounds = boundsOf(shapeOf(checkpoint.config), 'float16')

t.test('products of factors rounded to float16 stay within the bounds of float16', async t => {
  for (const { name, error, bound, ok } of await rowsWith(float16Value))
    t.ok(ok, `${name}: ${error.toExponential(1)} <= ${bound.toExponential(1)}`)
})

t.test('products of factors rounded to bfloat16 do not', async t => {
  const rows = await rowsWith(bfloat16Value)
  const over = rows.filter(({ ok }) => !ok).map(({ name }) => name)
  t.ok(over.includes('plain.logits'))
  t.ok(over.length > rows.length / 4, `${over.length} of ${rows.length} are over`)
})

t.test('bounds grow with the layers of the model, and are those of single precision in float32', async t => {
  const shape = shapeOf(checkpoint.config)
  const deeper = { ...shape, language: { ...shape.language, layers: 4 * shape.language.layers } }
  const ratio = boundsOf(deeper, 'float16').plainLogits / bounds.plainLogits
  t.ok(ratio > 1.8 && ratio <= 2, `${ratio}`)
  t.equal(boundsOf(shape, 'float32').plainLogits, boundsOf(deeper, 'float32').plainLogits)
})

/** The oracle's numbers with so rounded products against the expected ones. */
async function rowsWith(round: (value: number) => number): Promise<Row[]> {
  const policy = await model.readModel(checkpoint, model.usuallyTrained)
  const rows: Row[] = []
  const near = async (name: string, found: ArrayLike<number>, bound: number) => {
    const wanted = await expected.read(name)
    rows.push(row(name, relativeError(Array.from(found).slice(0, wanted.length), wanted), bound))
  }
  const tape = new Tape(round)
  const frames = Float64Array.from(await expected.read('frames'))
  const features = model.visionFeatures(policy, frames, tape)
  await near('vision.features', features.data, bounds.vision)
  await near('connector.out', model.connector(tape, policy, features).data, bounds.connector)
  const plain = model.splice(tape, policy, json.plain.ids, null)
  const logits = model.logits(tape, policy, model.languageModel(tape, policy, plain))
  await near('plain.logits', logits.data, bounds.plainLogits)
  const learning = new Tape(round)
  const logProbs = labelLogProbabilities(learning, policy, features, json.sft)
  learning.backward(
    logProbs,
    logProbs.data.map(() => -1 / logProbs.data.length),
  )
  for (const name of expected.names('sft.grad.'))
    await near(name, policy.weights.get(name.slice('sft.grad.'.length))?.gradient ?? [], bounds.gradients)
  return rows
}

/** The nearest number of 8 binary digits, ties to even. */
function bfloat16Value(value: number): number {
  const float = Float32Array.of(value)
  const [word] = new Uint32Array(float.buffer)
  new Uint32Array(float.buffer)[0] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000
  return float[0]
}
