import { operator } from '../../engine/operator.ts'
import type { Sequence } from '../../kernels/networks/packing.ts'
import { forward } from '../../kernels/networks/video-model.ts'
import type { Completion, Group } from '../kinds.ts'
import type { ScheduledOptimizer } from '../model/adamw.ts'
import type { LoadedModel } from '../model/load-model.ts'
import { GroupError } from './group-error.ts'
import { rewardMetrics, sampleRecords } from './group-metrics.ts'
import { grpoLoss, type LossOptions, lossFields } from './loss.ts'

/** Each group is one update: the prompt is run once with all its completions behind it. */
export default operator({
  summary: 'Updates the policy with the GRPO loss of each group and reports it.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The policy.' },
    reference: {
      type: 'string',
      resource: 'model',
      description: 'The frozen model that the KL divergence is measured from.',
    },
    optimizer: { type: 'string', resource: 'optimizer', description: "The policy's optimizer." },
    ...lossFields,
  },
  inputs: { groups: 'group' },
  outputs: { version: 'version' },
  run: ({ groups }, { model, reference, optimizer, ...loss }, context) => {
    const begun = performance.now()
    const update = async (group: Group, { key }: { key: string }) => {
      const policy = context.resource<LoadedModel>(model)
      const optimize = context.resource<ScheduledOptimizer>(optimizer)
      const models = { policy, reference: context.resource<LoadedModel>(reference), optimizer: optimize }
      const started = performance.now()
      const learningRate = optimize.learningRate()
      const result = await step(models, group, loss, learningRate)
      const now = performance.now()
      policy.version++
      context.record('metrics', {
        step: policy.version,
        ...result,
        ...rewardMetrics(group),
        learning_rate: learningRate,
        policy_lag: policy.version - 1 - group.policyVersion,
        key,
        generate_seconds: group.generateSeconds,
        update_seconds: (now - started) / 1000,
        seconds: (now - begun) / 1000,
      })
      for (const record of sampleRecords(group))
        context.record('samples', { step: policy.version, key, ...record })
      return policy.version
    }
    return { version: groups.pipe(context.each(update, { keep: false })) }
  },
})

interface Models {
  policy: LoadedModel
  reference: LoadedModel
  optimizer: ScheduledOptimizer
}

async function step(
  { policy, reference, optimizer }: Models,
  { prompt, completions }: Group,
  options: LossOptions,
  learningRate: number,
) {
  const sequence: Sequence = {
    ids: prompt.ids,
    features: prompt.features,
    completions: completions.map(completion => completion.ids),
  }
  const lengths = completions.map(completion => completion.ids.length)
  const before = await forward(reference, [sequence], false)
  before.free()
  const pass = await forward(policy, [sequence], true)
  try {
    const batch = {
      policy: split(pass.logProbs, lengths),
      old: null,
      reference: split(before.logProbs, lengths),
      advantages: completions.map(advantageOf),
      mask: lengths.map(length => new Float32Array(length).fill(1)),
    }
    const { loss, dLogProbs, metrics } = grpoLoss(batch, options)
    pass.backward(Float32Array.from(dLogProbs.flatMap(row => [...row])))
    const { gradientNorm, applied } = await optimizer.step(learningRate)
    optimizer.clearGradients()
    if (!applied)
      throw new GroupError(
        'not-finite',
        `the gradient is not finite (loss ${loss}); the weights were left as they are`,
      )
    return { loss, kl: metrics.kl, completion_length: metrics.completionLength, grad_norm: gradientNorm }
  } finally {
    pass.free()
  }
}

function advantageOf({ advantage }: Completion): number {
  if (advantage !== undefined) return advantage
  throw new GroupError(
    'missing-advantage',
    'a completion has no advantage; put grpo.advantage before this node',
  )
}

function split(values: Float32Array, lengths: readonly number[]): Float32Array[] {
  let end = 0
  return lengths.map(length => {
    end += length
    return values.subarray(end - length, end)
  })
}
