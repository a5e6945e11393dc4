import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device/device.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { Pass } from '../../kernels/layers/pass.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import { groupResampler, positionalTable } from '../../kernels/networks/group-resampler.ts'
import type { Sequence } from '../../kernels/networks/packing.ts'
import { adamWOptimizer } from '../../kernels/networks/training/optimizer.ts'
import { encodeFrames, forward, promptStates } from '../../kernels/networks/video-model.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { type Precision, Recording } from '../../kernels/plan/recording.ts'
import { probabilities } from '../../kernels/sampling/probabilities.ts'
import { groupStatistics } from '../../operators/grpo/estimators.ts'
import { grpoLoss } from '../../operators/grpo/loss.ts'
import { type Checkpoint, openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { type LoadedModel, loadModel } from '../../operators/model/checkpoint/load-model.ts'
import { sftLoss } from '../../operators/sft/loss.ts'
import { lossOptions } from '../operators/grpo/loss-options.ts'
import { type Bounds, boundsOf, updated } from './bounds.ts'
import { type Expected, openExpected } from './expected.ts'
import { differences, largestError, type Row, relativeError, row } from './row.ts'

/** Of probabilities, which are float32 always, given the logits. */
const samplingBound = 5e-5

/** Of float16 gradients; small ones would vanish. */
const lossScale = 1024

/** What the rows of a checkpoint are made from. */
interface Checked {
  json: ExpectedJson
  expected: Expected
  bounds: Bounds
  /** Of the logits behind the prompt. */
  largestLogit: number
}

interface ExpectedJson {
  prompt: { ids: number[] }
  greedy: number[]
  plain: { ids: number[] }
  sft: {
    ids: number[]
    labels: number[]
    loss: number
    grad_norm: number
    adamw: {
      lr: number
      betas: [number, number]
      eps: number
      weight_decay: number
      clip: number
      losses: number[]
      loss_after: number
    }
  }
  grpo: {
    completions: number[][]
    beta: number
    rewards: number[]
    advantages: number[]
    reward_std: number
    loss: number
    kl: number
    completion_length: number
    grad_norm: number
    clipped_token_mean: {
      beta: number
      clip_low: number
      clip_high: number
      loss: number
      grad_norm: number
      clip_ratio: number
    }
  }
  norms: Record<string, number>
}

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
  const out = groupResampler(new Pass(recording, false), weights, shape.connector, features)
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
  const behind = continued.logits.slice(-vocabulary * json.greedy.length)
  rows.push(await near(expected, 'greedy.logits', behind, bounds.logits))
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

async function sftRows(
  model: LoadedModel,
  checkpoint: Checkpoint,
  checked: Checked,
  features: Tensor,
): Promise<Row[]> {
  const { json, expected, bounds, largestLogit } = checked
  const { ids, labels, loss, grad_norm, adamw } = json.sft
  const [beta1, beta2] = adamw.betas
  const optimizer = await adamWOptimizer(model, {
    beta1,
    beta2,
    epsilon: adamw.eps,
    weightDecay: adamw.weight_decay,
    maxGradientNorm: adamw.clip,
    lossScale,
  })
  const tokens = labels.filter(label => label >= 0).length
  const learn = async () => {
    const pass = await forward(model, [{ ids, labels, features }], true)
    const result = sftLoss([pass.logProbs])
    pass.backward(Float32Array.from(result.dLogProbs[0]))
    pass.free()
    return result.loss
  }
  const lossBound = (wanted: number) => bounds.updatedLoss(largestLogit, tokens, Math.abs(loss / wanted - 1))
  const rows: Row[] = []
  optimizer.clearGradients()
  for (const [i, wanted] of adamw.losses.entries()) {
    const found = await learn()
    if (i === 0) {
      rows.push(row('sft.loss', largestError([found], [loss]), bounds.loss(largestLogit, tokens)))
      rows.push(...(await gradientRows(model, checked, 'sft.grad.', bounds)))
    }
    rows.push(row(`sft.adamw.losses[${i}]`, relativeError([found], [wanted]), lossBound(wanted)))
    const { gradientNorm, scaling } = await optimizer.step(adamw.lr)
    if (scaling) rows.push(row(`sft.adamw numbers cut to float16's range [${i}]`, scaling.cuts, 0))
    if (i === 0) rows.push(row('sft.grad_norm', relativeError([gradientNorm], [grad_norm]), bounds.norms))
    optimizer.clearGradients()
  }
  rows.push(
    row(
      'sft.adamw.loss_after',
      relativeError([await learn()], [adamw.loss_after]),
      lossBound(adamw.loss_after),
    ),
  )
  optimizer.clearGradients()
  optimizer.free()
  for (const name of expected.names('sft.step3.')) {
    const value = await model.device.read(parameterOf(model, name, 'sft.step3.').value)
    const share = bounds.updatedDistance?.(
      largestLogit,
      name.endsWith('k_proj.bias') ? ids.length : undefined,
    )
    if (share === undefined) {
      rows.push(await near(expected, name, value, updated), normRow(json, name, value, updated))
      continue
    }
    const wanted = await expected.read(name)
    const before = await started(checkpoint, name.slice('sft.step3.'.length))
    rows.push(row(name, distance(value, wanted) / distance(before, wanted) || 0, share))
    const way = adamw.losses.length * adamw.lr * Math.sqrt(value.length)
    rows.push(normRow(json, name, value, (share * way) / json.norms[name]))
  }
  return rows
}

async function started(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const values: number[] = []
  for await (const chunk of checkpoint.read(name)) for (const value of chunk) values.push(value)
  return Float32Array.from(values)
}

/** Between what both hold. */
const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.subarray(0, b.length).map((value, i) => value - b[i]))

async function grpoRows(
  policy: LoadedModel,
  reference: LoadedModel,
  checked: Checked,
  features: Tensor,
): Promise<Row[]> {
  const { json, expected, bounds, largestLogit } = checked
  const { device } = policy
  for (const name of expected.names('grpo.policy.'))
    device.write(parameterOf(policy, name, 'grpo.policy.').value, await expected.read(name))
  const { completions, rewards, advantages, ...wanted } = json.grpo
  const width = completions[0].length
  const matrix = (values: Float32Array) =>
    completions.map((_, i) => values.subarray(i * width, (i + 1) * width))
  const sequences: Sequence[] = [{ ids: json.prompt.ids, features, completions }]
  const before = await forward(reference, sequences, false)
  before.free()
  const old = matrix(await expected.read('grpo.old_logps'))
  const mask = matrix(await expected.read('grpo.mask'))
  const logProbabilityBound = async (name: string) =>
    bounds.logProbabilities(largestLogit, largest(await expected.read(name)))
  const tokens = mask.flatMap(kept => [...kept]).filter(kept => kept > 0).length
  const lossBound = bounds.loss(largestLogit, tokens) * Math.max(1, ...advantages.map(Math.abs))
  const { mean, standardDeviation } = groupStatistics(rewards)
  const found = rewards.map(reward => (reward - mean) / (standardDeviation + 1e-4))
  const rows = [
    row('grpo.advantages', largestError(found, advantages), 1e-5),
    row('grpo.reward_std', largestError([standardDeviation], [wanted.reward_std]), 1e-5),
    await near(expected, 'grpo.ref_logps', before.logProbs, await logProbabilityBound('grpo.ref_logps')),
  ]
  const optimizer = await adamWOptimizer(policy, {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradientNorm: 0,
    lossScale,
  })
  const groupBounds = { gradients: bounds.groupGradients, norms: bounds.groupNorms }
  const norm = async () => {
    const { gradientNorm } = await optimizer.step(0)
    return gradientNorm
  }
  const clipped = wanted.clipped_token_mean
  const cases = [
    { name: 'grpo', options: lossOptions({ beta: wanted.beta }), wanted },
    {
      name: 'grpo.clipped_token_mean',
      options: lossOptions({
        beta: clipped.beta,
        surrogate: 'clip',
        clipLow: clipped.clip_low,
        clipHigh: clipped.clip_high,
        aggregation: 'token-mean',
      }),
      wanted: clipped,
    },
  ]
  for (const { name, wanted: target, options } of cases) {
    const isClipped = options.surrogate === 'clip'
    optimizer.clearGradients()
    const pass = await forward(policy, sequences, true)
    const batch = {
      policy: matrix(pass.logProbs),
      old: isClipped ? old : null,
      reference: matrix(before.logProbs),
      advantages,
      mask,
    }
    const { loss, dLogProbs, metrics } = grpoLoss(batch, options)
    pass.backward(Float32Array.from(dLogProbs.flatMap(values => [...values])))
    pass.free()
    rows.push(row(`${name}.loss`, largestError([loss], [target.loss]), lossBound))
    if (isClipped) {
      const edges = [Math.log(1 - clipped.clip_low), Math.log(1 + clipped.clip_high)]
      const open = await nearEdges(expected, edges, bounds.logProbabilities(largestLogit, 1))
      rows.push(
        row(`${name}.clip_ratio`, largestError([metrics.clipRatio], [clipped.clip_ratio]), open + 1e-9),
      )
    } else {
      rows.push(await near(expected, 'grpo.logps', pass.logProbs, await logProbabilityBound('grpo.logps')))
      const kl = pass.logProbs.map((logProb, i) => {
        const x = before.logProbs[i] - logProb
        return Math.exp(x) - x - 1
      })
      const largestKl = largest(await expected.read('grpo.per_token_kl'))
      const klBound = bounds.kl(largestLogit, largestKl)
      rows.push(await near(expected, 'grpo.per_token_kl', kl, klBound))
      rows.push(
        row('grpo.kl', largestError([metrics.kl], [wanted.kl]), bounds.meanKl(largestLogit, largestKl)),
      )
      rows.push(
        row(
          'grpo.completion_length',
          largestError([metrics.completionLength], [wanted.completion_length]),
          1e-9,
        ),
      )
      rows.push(...(await gradientRows(policy, checked, 'grpo.grad.', groupBounds)))
    }
    rows.push(row(`${name}.grad_norm`, relativeError([await norm()], [target.grad_norm]), groupBounds.norms))
  }
  optimizer.free()
  return rows
}

async function gradientRows(
  model: LoadedModel,
  { json, expected }: Checked,
  prefix: string,
  bounds: Pick<Bounds, 'gradients' | 'norms'>,
): Promise<Row[]> {
  const rows: Row[] = []
  const scale = model.weights.lossScale ? lossScale : 1
  for (const name of expected.names(prefix)) {
    const { gradient } = parameterOf(model, name, prefix)
    if (!gradient) {
      rows.push(row(`${name} is not trained`, 1, 0))
      continue
    }
    const values = (await model.device.read(gradient)).map(value => value / scale)
    rows.push(await near(expected, name, values, bounds.gradients))
    rows.push(normRow(json, name, values, bounds.norms))
  }
  return rows
}

function normRow({ norms }: ExpectedJson, name: string, values: Float32Array, bound: number): Row {
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0))
  return row(`|${name}|`, relativeError([norm], [norms[name]]), bound)
}

function parameterOf(model: LoadedModel, name: string, prefix: string) {
  const found = model.weights.byName.get(name.slice(prefix.length))
  if (!found) throw new Error(`expected.safetensors: ${name} names no parameter of the model`)
  return found
}

/** Where fewer values are stored than computed, the first ones are compared. */
async function near(expected: Expected, name: string, found: Float32Array, bound: number): Promise<Row> {
  const values = await expected.read(name)
  return row(name, relativeError(found.subarray(0, values.length), values), bound)
}

const largest = (values: Float32Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

/** Share of the completions' tokens whose ratio of probabilities lies so near an edge that errors decide its side. */
async function nearEdges(expected: Expected, edges: readonly number[], within: number): Promise<number> {
  const [now, old, mask] = await Promise.all(
    ['logps', 'old_logps', 'mask'].map(name => expected.read(`grpo.${name}`)),
  )
  const kept = [...mask.keys()].filter(i => mask[i] > 0)
  const open = kept.filter(i => edges.some(edge => Math.abs(now[i] - old[i] - edge) <= within))
  return open.length / kept.length
}
