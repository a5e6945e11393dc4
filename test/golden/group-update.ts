import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Sequence } from '../../kernels/networks/packing.ts'
import { adamWOptimizer } from '../../kernels/networks/training/optimizer.ts'
import { forward } from '../../kernels/networks/video-model.ts'
import { groupStatistics } from '../../operators/grpo/estimators.ts'
import { grpoLoss, type LossOptions } from '../../operators/grpo/loss.ts'
import type { LoadedModel } from '../../operators/model/checkpoint/load-model.ts'
import { lossOptions } from '../operators/grpo/loss-options.ts'
import { type Checked, gradientRows, largest, lossScale, near, parameterOf } from './checked.ts'
import type { Expected } from './expected.ts'
import { largestError, type Row, relativeError, row } from './row.ts'

/** GRPO on one group: advantages, log-probabilities, and loss and gradients by the published loss and by the clipped one. */
export async function grpoRows(
  policy: LoadedModel,
  reference: LoadedModel,
  checked: Checked,
  features: Tensor,
): Promise<Row[]> {
  const { json, expected } = checked
  for (const name of expected.names('grpo.policy.'))
    policy.device.write(parameterOf(policy, name, 'grpo.policy.').value, await expected.read(name))
  const group = await readGroup(checked, reference, features)
  const { beta, clipped_token_mean: clipped } = json.grpo
  const clippedOptions = lossOptions({
    beta: clipped.beta,
    surrogate: 'clip',
    clipLow: clipped.clip_low,
    clipHigh: clipped.clip_high,
    aggregation: 'token-mean',
  })
  const rows = [
    ...advantageRows(checked),
    await near(expected, 'grpo.ref_logps', group.referenceLogProbs, await group.bound('grpo.ref_logps')),
  ]
  const published = await update(policy, checked, group, lossOptions({ beta }))
  rows.push(row('grpo.loss', largestError([published.loss], [json.grpo.loss]), group.lossBound))
  rows.push(...(await publishedRows(published, checked, group)))
  rows.push(...published.gradients, normRow('grpo', published, json.grpo, checked))

  const other = await update(policy, checked, group, clippedOptions)
  const name = 'grpo.clipped_token_mean'
  rows.push(row(`${name}.loss`, largestError([other.loss], [clipped.loss]), group.lossBound))
  const edges = [Math.log(1 - clipped.clip_low), Math.log(1 + clipped.clip_high)]
  const open = await nearEdges(expected, edges, checked.bounds.logProbabilities(checked.largestLogit, 1))
  const ratioError = largestError([other.metrics.clipRatio], [clipped.clip_ratio])
  rows.push(row(`${name}.clip_ratio`, ratioError, open + 1e-9), normRow(name, other, clipped, checked))
  return rows
}

/** The group's completions with what the recorded numbers say of them, and the reference model's log-probabilities. */
async function readGroup(
  { json, expected, bounds, largestLogit }: Checked,
  reference: LoadedModel,
  features: Tensor,
) {
  const { completions, advantages } = json.grpo
  const width = completions[0].length
  const byCompletion = (values: Float32Array) =>
    completions.map((_, i) => values.subarray(i * width, (i + 1) * width))
  const sequences: Sequence[] = [{ ids: json.prompt.ids, features, completions }]
  const pass = await forward(reference, sequences, false)
  pass.free()
  const mask = byCompletion(await expected.read('grpo.mask'))
  const tokens = mask.flatMap(row => [...row]).filter(counts => counts > 0).length
  return {
    byCompletion,
    sequences,
    mask,
    old: byCompletion(await expected.read('grpo.old_logps')),
    referenceLogProbs: pass.logProbs,
    lossBound: bounds.loss(largestLogit, tokens) * Math.max(1, ...advantages.map(Math.abs)),
    bound: async (name: string) => bounds.logProbabilities(largestLogit, largest(await expected.read(name))),
  }
}

type RecordedGroup = Awaited<ReturnType<typeof readGroup>>

/** Advantages as the published code makes them: with 1e-4 added to the deviation. */
function advantageRows({ json }: Checked): Row[] {
  const { rewards, advantages, reward_std } = json.grpo
  const { mean, standardDeviation } = groupStatistics(rewards)
  const computed = rewards.map(reward => (reward - mean) / (standardDeviation + 1e-4))
  return [
    row('grpo.advantages', largestError(computed, advantages), 1e-5),
    row('grpo.reward_std', largestError([standardDeviation], [reward_std]), 1e-5),
  ]
}

/** Forward, loss and backward of the group, and the length of all gradients, without moving a weight. */
async function update(policy: LoadedModel, checked: Checked, group: RecordedGroup, options: LossOptions) {
  const { bounds } = checked
  const optimizer = await adamWOptimizer(policy, {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradientNorm: 0,
    lossScale,
  })
  optimizer.clearGradients()
  const pass = await forward(policy, group.sequences, true)
  const isClipped = options.surrogate === 'clip'
  const { loss, dLogProbs, metrics } = grpoLoss(
    {
      policy: group.byCompletion(pass.logProbs),
      old: isClipped ? group.old : null,
      reference: group.byCompletion(group.referenceLogProbs),
      advantages: checked.json.grpo.advantages,
      mask: group.mask,
    },
    options,
  )
  pass.backward(Float32Array.from(dLogProbs.flatMap(values => [...values])))
  pass.free()
  const gradientBounds = { gradients: bounds.groupGradients, norms: bounds.groupNorms }
  const gradients = isClipped ? [] : await gradientRows(policy, checked, 'grpo.grad.', gradientBounds)
  const { gradientNorm } = await optimizer.step(0)
  optimizer.free()
  return { loss, metrics, logProbs: pass.logProbs, gradients, gradientNorm }
}

type Updated = Awaited<ReturnType<typeof update>>

const normRow = (
  name: string,
  { gradientNorm }: Updated,
  wanted: { grad_norm: number },
  { bounds }: Checked,
): Row => row(`${name}.grad_norm`, relativeError([gradientNorm], [wanted.grad_norm]), bounds.groupNorms)

async function publishedRows(
  { logProbs, metrics }: Updated,
  { json, expected, bounds, largestLogit }: Checked,
  group: RecordedGroup,
): Promise<Row[]> {
  const tokenKl = logProbs.map((logProb, i) => {
    const difference = group.referenceLogProbs[i] - logProb
    return Math.exp(difference) - difference - 1
  })
  const largestKl = largest(await expected.read('grpo.per_token_kl'))
  const length = largestError([metrics.completionLength], [json.grpo.completion_length])
  return [
    await near(expected, 'grpo.logps', logProbs, await group.bound('grpo.logps')),
    await near(expected, 'grpo.per_token_kl', tokenKl, bounds.kl(largestLogit, largestKl)),
    row('grpo.kl', largestError([metrics.kl], [json.grpo.kl]), bounds.meanKl(largestLogit, largestKl)),
    row('grpo.completion_length', length, 1e-9),
  ]
}

/** Share of the completions' tokens whose ratio of probabilities lies so near an edge that errors decide its side. */
async function nearEdges(expected: Expected, edges: readonly number[], within: number): Promise<number> {
  const [now, old, mask] = await Promise.all(
    ['logps', 'old_logps', 'mask'].map(name => expected.read(`grpo.${name}`)),
  )
  const counted = [...mask.keys()].filter(i => mask[i] > 0)
  const open = counted.filter(i => edges.some(edge => Math.abs(now[i] - old[i] - edge) <= within))
  return open.length / counted.length
}
