import { operator } from '../../engine/operator.ts'
import type { Sequence } from '../../kernels/networks/packing.ts'
import { forward } from '../../kernels/networks/video-model.ts'
import type { Completion, Group } from '../kinds.ts'
import type { ScheduledOptimizer } from '../model/adamw.ts'
import type { LoadedModel } from '../model/load-model.ts'
import { groupStatistics } from './advantage.ts'
import { AdvantageError } from './advantage-error.ts'
import { type GrpoMetrics, grpoLoss, type LossOptions } from './loss.ts'

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
    beta: {
      type: 'number',
      minimum: 0,
      default: 0.01,
      description: 'Weight of the KL divergence from the reference.',
    },
    klClamp: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 100,
      description: 'A token counts at most this much KL.',
    },
    aggregation: {
      type: 'string',
      enum: ['sequence-mean', 'token-mean'],
      default: 'sequence-mean',
      description: 'Mean over completions of their token means, or over all tokens of the group.',
    },
  },
  inputs: { groups: 'group' },
  outputs: { version: 'version' },
  run: ({ groups }, { model, reference, optimizer, ...loss }, context) => {
    const begun = performance.now()
    return {
      version: groups.pipe(
        context.each(
          async (group: Group, { key }) => {
            const policy = context.resource<LoadedModel>(model)
            const update = context.resource<ScheduledOptimizer>(optimizer)
            const started = performance.now()
            const learningRate = update.learningRate()
            const old = context.resource<LoadedModel>(reference)
            const result = await step(policy, old, update, group, { ...loss, clip: null }, learningRate)
            policy.version++
            const updateSeconds = (performance.now() - started) / 1000
            const secondsSinceStart = (performance.now() - begun) / 1000
            const timings = {
              generate_seconds: group.generateSeconds,
              update_seconds: updateSeconds,
              seconds: secondsSinceStart,
            }
            context.record('metrics', {
              step: policy.version,
              ...result,
              ...rewardMetrics(group),
              learning_rate: learningRate,
              policy_lag: policy.version - 1 - group.policyVersion,
              key,
              ...timings,
            })
            group.completions.forEach((completion, index) =>
              recordSample(context.record, policy.version, key, group, completion, index),
            )
            return policy.version
          },
          { keep: false },
        ),
      ),
    }
  },
})

async function step(
  policy: LoadedModel,
  reference: LoadedModel,
  optimizer: ScheduledOptimizer,
  { prompt, completions }: Group,
  options: LossOptions,
  learningRate: number,
) {
  const sequence: Sequence = {
    ids: prompt.ids,
    features: prompt.features,
    completions: completions.map(c => c.ids),
  }
  const lengths = completions.map(c => c.ids.length)
  const before = await forward(reference, [sequence], false)
  before.free()
  const pass = await forward(policy, [sequence], true)
  try {
    const { loss, dLogProbs, metrics } = grpoLoss(
      {
        policy: split(pass.logProbs, lengths),
        old: null,
        reference: split(before.logProbs, lengths),
        advantages: completions.map(advantageOf),
        mask: lengths.map(length => new Float32Array(length).fill(1)),
      },
      options,
    )
    pass.backward(Float32Array.from(dLogProbs.flatMap(row => [...row])))
    const { gradientNorm, applied } = await optimizer.step(learningRate)
    optimizer.clearGradients()
    return { loss, ...named(metrics), grad_norm: gradientNorm, update_applied: applied }
  } finally {
    pass.free()
  }
}

const named = ({ kl, completionLength }: GrpoMetrics) => ({ kl, completion_length: completionLength })

function rewardMetrics({ completions }: Group) {
  const { mean, standardDeviation } = groupStatistics(completions.map(c => c.reward ?? 0))
  const names = new Set(completions.flatMap(c => Object.keys(c.rewards ?? {})))
  const means = [...names].map(name => {
    const total = completions.reduce((sum, c) => sum + (c.rewards?.[name] ?? 0), 0)
    return [`rewards/${name}`, total / completions.length] as const
  })
  const truncated = completions.filter(c => !c.finished).length / completions.length
  return { reward: mean, reward_std: standardDeviation, ...Object.fromEntries(means), truncated }
}

function recordSample(
  record: (stream: string, entry: Readonly<Record<string, unknown>>) => void,
  step: number,
  key: string,
  { prompt }: Group,
  { text, ids, finished, rewards, reward, advantage }: Completion,
  index: number,
): void {
  const { question, solution, video } = prompt.sample
  record('samples', {
    step,
    key,
    index,
    video,
    question,
    solution,
    text,
    tokens: ids.length,
    finished,
    rewards,
    reward,
    advantage,
  })
}

function advantageOf({ advantage }: Completion): number {
  if (advantage === undefined)
    throw new AdvantageError(
      'missing-advantage',
      'a completion has no advantage; put grpo.advantage before this node',
    )
  return advantage
}

function split(values: Float32Array, lengths: readonly number[]): Float32Array[] {
  let at = 0
  return lengths.map(length => values.subarray(at, (at += length)))
}
