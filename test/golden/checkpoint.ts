import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device.ts'
import { Pass } from '../../kernels/layers/pass.ts'
import { generate } from '../../kernels/networks/generator.ts'
import { groupResampler, positionalTable } from '../../kernels/networks/group-resampler.ts'
import { adamWOptimizer } from '../../kernels/networks/optimizer.ts'
import type { Sequence } from '../../kernels/networks/packing.ts'
import { encodeFrames, forward, promptStates } from '../../kernels/networks/video-model.ts'
import { compile, Plan } from '../../kernels/plan.ts'
import { probabilities } from '../../kernels/sampling.ts'
import type { Tensor } from '../../kernels/tensor.ts'
import { groupStatistics } from '../../operators/grpo/estimators.ts'
import { grpoLoss } from '../../operators/grpo/loss.ts'
import { openCheckpoint } from '../../operators/model/checkpoint.ts'
import { type LoadedModel, loadModel } from '../../operators/model/load-model.ts'
import { sftLoss } from '../../operators/sft/loss.ts'
import { lossOptions } from '../operators/grpo/loss-options.ts'
import { type Expected, openExpected } from './expected.ts'
import { differences, largestError, type Row, relativeError, row } from './row.ts'

// Bounds on a float32 adapter: relative to the largest value of each tensor.
const bounds = {
  activations: 2e-5,
  sampling: 5e-5,
  kl: 1e-3,
  losses: 1e-5,
  gradients: 2e-4,
  norms: 1e-4,
  updated: 2e-3,
  updatedLosses: 1e-4,
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

/** Computes every quantity of a checkpoint folder's expected.json and expected.safetensors. */
export async function checkCheckpoint(folder: string, device: Device): Promise<Row[]> {
  const json: ExpectedJson = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'))
  const expected = await openExpected(join(folder, 'expected.safetensors'))
  const checkpoint = await openCheckpoint(folder)
  const reference = await loadModel(device, checkpoint, [])
  const policy = await loadModel(device, checkpoint, ['connector', 'language'])
  const { frames, rows } = await visionRows(reference, expected)
  const features = await encodeFrames(reference, frames)
  try {
    rows.push(...(await promptRows(reference, json, expected, features)))
    rows.push(...(await sftRows(policy, json, expected, features)))
    rows.push(...(await grpoRows(policy, reference, json, expected, features)))
    const unchecked = expected.unread()
    rows.push(row(`expected tensors not computed: ${unchecked.join(', ') || 'none'}`, unchecked.length, 0))
    return rows
  } finally {
    for (const tensor of [frames, features]) device.freeTensor(tensor)
    for (const model of [reference, policy]) model.weights.free()
  }
}

async function visionRows(model: LoadedModel, expected: Expected): Promise<{ frames: Tensor; rows: Row[] }> {
  const { device, shape, weights } = model
  const frames = device.tensor('frames', expected.shape('frames'), 'f32', await expected.read('frames'))
  const features = await encodeFrames(model, frames)
  const rows = [await near(expected, 'vision.features', await device.read(features))]
  const plan = new Plan(device)
  const out = groupResampler(new Pass(plan, false), weights, shape.connector, features)
  plan.pinned.add(out)
  const compiled = await compile(device, plan, 'connector')
  compiled.run()
  rows.push(await near(expected, 'connector.out', await compiled.read(out)))
  compiled.free()
  device.freeTensor(features)
  const [count, width] = expected.shape('connector.positional_table')
  rows.push(await near(expected, 'connector.positional_table', positionalTable(count, width)))
  return { frames, rows }
}

async function promptRows(
  model: LoadedModel,
  json: ExpectedJson,
  expected: Expected,
  features: Tensor,
): Promise<Row[]> {
  const { ids } = json.prompt
  const prompt = await promptStates(model, { ids, features })
  const rows = [await near(expected, 'prompt.embeds', prompt.embeddings)]
  rows.push(await near(expected, 'prompt.logits', prompt.logits))
  const plain = await promptStates(model, { ids: json.plain.ids })
  rows.push(await near(expected, 'plain.logits', plain.logits))

  const vocabulary = model.shape.language.vocabulary
  const last = prompt.logits.slice(-vocabulary)
  for (const name of expected.names('sampling.')) {
    rows.push(await near(expected, name, await sampled(model.device, last, name), bounds.sampling))
  }
  const greedy = { greedy: true, temperature: 1, topK: 0, topP: 1 }
  const limits = { maxNewTokens: Math.max(24, json.greedy.length), endIds: model.config.eosIds }
  const [[found]] = await generate(model, [{ ids, features, seeds: [0] }], greedy, limits)
  rows.push(row('greedy ids that differ', differences(found, json.greedy), 0))
  // As a completion: longer prompts would be cut at their end.
  const continued = await promptStates(model, { ids, features, completions: [json.greedy] })
  rows.push(await near(expected, 'greedy.logits', continued.logits.slice(-vocabulary * json.greedy.length)))
  return rows
}

/** Names are like `sampling.t0.7k20p0.8`: temperature, top-k, top-p. */
async function sampled(
  device: Device,
  logits: Float32Array<ArrayBuffer>,
  name: string,
): Promise<Float32Array> {
  const { temperature, topK, topP } = samplingOf(name)
  const vocabulary = logits.length
  const plan = new Plan(device)
  const input = plan.constant('logits', [1, vocabulary], logits)
  const out = plan.pin('probabilities', [1, vocabulary])
  probabilities(plan, { logits: input, out, temperature, topK, topP, rows: 1, vocabulary })
  const compiled = await compile(device, plan, 'sampling')
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
  json: ExpectedJson,
  expected: Expected,
  features: Tensor,
): Promise<Row[]> {
  const { ids, labels, loss, grad_norm, adamw } = json.sft
  const [beta1, beta2] = adamw.betas
  const optimizer = await adamWOptimizer(model, {
    beta1,
    beta2,
    epsilon: adamw.eps,
    weightDecay: adamw.weight_decay,
    maxGradientNorm: adamw.clip,
  })
  const learn = async () => {
    const pass = await forward(model, [{ ids, labels, features }], true)
    const result = sftLoss([pass.logProbs])
    pass.backward(Float32Array.from(result.dLogProbs[0]))
    pass.free()
    return result.loss
  }
  const rows: Row[] = []
  optimizer.clearGradients()
  for (const [i, wanted] of adamw.losses.entries()) {
    const found = await learn()
    if (i === 0) {
      rows.push(row('sft.loss', largestError([found], [loss]), bounds.losses))
      rows.push(...(await gradientRows(model, json, expected, 'sft.grad.')))
    }
    rows.push(row(`sft.adamw.losses[${i}]`, relativeError([found], [wanted]), bounds.updatedLosses))
    const { gradientNorm } = await optimizer.step(adamw.lr)
    if (i === 0) rows.push(row('sft.grad_norm', relativeError([gradientNorm], [grad_norm]), bounds.norms))
    optimizer.clearGradients()
  }
  rows.push(
    row('sft.adamw.loss_after', relativeError([await learn()], [adamw.loss_after]), bounds.updatedLosses),
  )
  optimizer.clearGradients()
  optimizer.free()
  for (const name of expected.names('sft.step3.')) {
    const value = await model.device.read(parameterOf(model, name, 'sft.step3.').value)
    rows.push(await near(expected, name, value, bounds.updated))
    rows.push(normRow(json, name, value, bounds.updated))
  }
  return rows
}

async function grpoRows(
  policy: LoadedModel,
  reference: LoadedModel,
  json: ExpectedJson,
  expected: Expected,
  features: Tensor,
): Promise<Row[]> {
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
  const { mean, standardDeviation } = groupStatistics(rewards)
  const found = rewards.map(reward => (reward - mean) / (standardDeviation + 1e-4))
  const rows = [
    row('grpo.advantages', largestError(found, advantages), bounds.losses),
    row('grpo.reward_std', largestError([standardDeviation], [wanted.reward_std]), bounds.losses),
    await near(expected, 'grpo.ref_logps', before.logProbs),
  ]
  const optimizer = await adamWOptimizer(policy, {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradientNorm: 0,
  })
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
    rows.push(row(`${name}.loss`, largestError([loss], [target.loss]), bounds.losses))
    if (isClipped)
      rows.push(row(`${name}.clip_ratio`, largestError([metrics.clipRatio], [clipped.clip_ratio]), 1e-9))
    else {
      rows.push(await near(expected, 'grpo.logps', pass.logProbs))
      const kl = pass.logProbs.map((logProb, i) => {
        const x = before.logProbs[i] - logProb
        return Math.exp(x) - x - 1
      })
      rows.push(await near(expected, 'grpo.per_token_kl', kl, bounds.kl))
      rows.push(row('grpo.kl', largestError([metrics.kl], [wanted.kl]), bounds.losses))
      rows.push(
        row(
          'grpo.completion_length',
          largestError([metrics.completionLength], [wanted.completion_length]),
          1e-9,
        ),
      )
      rows.push(...(await gradientRows(policy, json, expected, 'grpo.grad.')))
    }
    rows.push(row(`${name}.grad_norm`, relativeError([await norm()], [target.grad_norm]), bounds.norms))
  }
  optimizer.free()
  return rows
}

async function gradientRows(
  model: LoadedModel,
  json: ExpectedJson,
  expected: Expected,
  prefix: string,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const name of expected.names(prefix)) {
    const { gradient } = parameterOf(model, name, prefix)
    if (!gradient) {
      rows.push(row(`${name} is not trained`, 1, 0))
      continue
    }
    const values = await model.device.read(gradient)
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
async function near(
  expected: Expected,
  name: string,
  found: Float32Array,
  bound = bounds.activations,
): Promise<Row> {
  const values = await expected.read(name)
  return row(name, relativeError(found.subarray(0, values.length), values), bound)
}
