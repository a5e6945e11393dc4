import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device/device.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { Pass } from '../../kernels/layers/pass.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import { encodeFrames, promptStates } from '../../kernels/networks/video-model.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { type Precision, Recording } from '../../kernels/plan/recording.ts'
import { probabilities } from '../../kernels/sampling/probabilities.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { type LoadedModel, loadModel } from '../../operators/model/checkpoint/load-model.ts'
import { positionalTable } from '../../operators/model/parts/group-resampler.ts'
import { boundsOf } from './bounds.ts'
import { type Checked, type ExpectedJson, largest, near } from './checked.ts'
import { openExpected } from './expected.ts'
import { grpoRows } from './group-update.ts'
import { differences, type Row, row } from './row.ts'
import { sftRows } from './supervised.ts'

/** Of probabilities, which are float32 always, given the logits. */
const samplingBound = 5e-5

/** Computes every quantity of a checkpoint folder's expected.json and expected.safetensors in that precision. */
export async function checkCheckpoint(folder: string, device: Device, precision: Precision): Promise<Row[]> {
  const json: ExpectedJson = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
  const expected = await openExpected(join(folder, 'expected.safetensors'))
  const checkpoint = await openCheckpoint(folder)
  const reference = await loadModel(device, checkpoint, [], precision)
  const policy = await loadModel(device, checkpoint, ['connector', 'language'], precision)
  const bounds = boundsOf(reference.shape, precision)
  const largestLogit = largest(await expected.read('prompt.logits'))
  const checked = { json, expected, bounds, largestLogit }
  const { frames, rows } = await visionRows(reference, checked)
  const features = await encodeFrames(reference, frames)
  try {
    rows.push(...(await promptRows(reference, checked, features)))
    rows.push(...(await sftRows(policy, checkpoint, checked, features)))
    rows.push(...(await grpoRows(policy, reference, checked, features)))
    const unchecked = expected.unread()
    rows.push(row(`expected tensors not computed: ${unchecked.join(', ') || 'none'}`, unchecked.length, 0))
    return rows
  } finally {
    for (const tensor of [frames, features]) device.freeTensor(tensor)
    for (const model of [reference, policy]) model.weights.free()
  }
}

async function visionRows(
  model: LoadedModel,
  { expected, bounds }: Checked,
): Promise<{ frames: Tensor; rows: Row[] }> {
  const { device, shape, weights, precision } = model
  const frames = device.tensor('frames', expected.shape('frames'), 'f32', await expected.read('frames'))
  const features = await encodeFrames(model, frames)
  const rows = [await near(expected, 'vision.features', await device.read(features), bounds.vision)]
  const recording = new Recording(device, precision)
  const out = shape.connector.record(new Pass(recording, false), weights, features)
  recording.pinned.add(out)
  const compiled = await compile(device, recording, 'connector')
  compiled.run()
  rows.push(await near(expected, 'connector.out', await compiled.read(out), bounds.connector))
  compiled.free()
  device.freeTensor(features)
  const [count, width] = expected.shape('connector.positional_table')
  rows.push(await near(expected, 'connector.positional_table', positionalTable(count, width), 2e-5))
  return { frames, rows }
}

async function promptRows(
  model: LoadedModel,
  { json, expected, bounds, largestLogit }: Checked,
  features: Tensor,
): Promise<Row[]> {
  const { ids } = json.prompt
  const prompt = await promptStates(model, { ids, features })
  const rows = [await near(expected, 'prompt.embeds', prompt.embeddings, bounds.connector)]
  rows.push(await near(expected, 'prompt.logits', prompt.logits, bounds.logits))
  const plain = await promptStates(model, { ids: json.plain.ids })
  rows.push(await near(expected, 'plain.logits', plain.logits, bounds.plainLogits))

  const vocabulary = model.shape.language.vocabulary
  const last = (await expected.read('prompt.logits')).slice(-vocabulary)
  for (const name of expected.names('sampling.')) {
    rows.push(await near(expected, name, await sampled(model.device, last, name), samplingBound))
  }
  const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }
  const limits = { maxNewTokens: Math.max(24, json.greedy.length), endIds: model.config.eosIds }
  const [[found]] = await generate(model, [{ ids, features, seeds: [0] }], greedy, limits)
  const wanted = await expected.read('greedy.logits')
  const undecided = 2 * bounds.logits * largestLogit
  rows.push(
    row('greedy ids that differ', differences(found, comparable(found, json.greedy, wanted, undecided)), 0),
  )
  // As a completion: longer prompts would be cut at their end.
  const continued = await promptStates(model, { ids, features, completions: [json.greedy] })
  const continuation = continued.logits.slice(-vocabulary * json.greedy.length)
  rows.push(await near(expected, 'greedy.logits', continuation, bounds.logits))
  return rows
}

/** What greedy ids must be: from the first on that differs where two logits are as good as equal, what was found. */
function comparable(found: number[], wanted: number[], logits: Float32Array, undecided: number): number[] {
  const vocabulary = logits.length / wanted.length
  const at = wanted.findIndex((id, i) => found[i] !== id)
  const row = logits.subarray(at * vocabulary, (at + 1) * vocabulary)
  const open = at >= 0 && at < found.length && row[wanted[at]] - row[found[at]] <= undecided
  return open ? [...wanted.slice(0, at), ...found.slice(at)] : wanted
}

/** Names are like `sampling.t0.7k20p0.8`: temperature, top-k, top-p. */
async function sampled(
  device: Device,
  logits: Float32Array<ArrayBuffer>,
  name: string,
): Promise<Float32Array> {
  const { temperature, topK, topP } = samplingOf(name)
  const vocabulary = logits.length
  const recording = new Recording(device)
  const input = recording.constant('logits', [1, vocabulary], logits)
  const out = recording.pin('probabilities', [1, vocabulary])
  probabilities(recording, { logits: input, out, temperature, topK, topP, rows: 1, vocabulary })
  const compiled = await compile(device, recording, 'sampling')
  compiled.run()
  const result = await compiled.read(out)
  compiled.free()
  return result
}

function samplingOf(name: string): { temperature: number; topK: number; topP: number } {
  const result = { temperature: 1, topK: 0, topP: 1 }
  const keys = {
    temp: 'temperature',
    t: 'temperature',
    topk: 'topK',
    k: 'topK',
    topp: 'topP',
    p: 'topP',
  } as const
  const parts = name.slice('sampling.'.length).matchAll(/(temp|topk|topp|t|k|p)(\d+(?:\.\d+)?)/g)
  for (const [, key, value] of parts) result[keys[key as keyof typeof keys]] = Number(value) // the pattern lists the keys
  return result
}
