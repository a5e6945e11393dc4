import { resource } from '../../engine/operator.ts'
import { adamWOptimizer, type Optimizer, type Update } from '../../kernels/networks/training/optimizer.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { restoreOptimizer, saveOptimizer } from './checkpoint/save-optimizer.ts'
import { CheckpointError } from './files/checkpoint-error.ts'
import type { ScheduleOutline } from './planned-updates.ts'
import { learningRateAt } from './schedule.ts'

/** An optimizer together with the learning rate of each of its steps. */
export interface ScheduledOptimizer extends Optimizer {
  /** The rate of the next step. */
  learningRate(): number
  /** The largest rate of the schedule. */
  readonly peakLearningRate: number
  /** Updates of the whole training. */
  readonly totalSteps: number
}

/** Metrics of an update that only a float16 model has: its loss scale, and counts that should be 0. */
export const scalingMetricNames = ['loss_scale', 'skipped_updates', 'float16_cuts'] as const

export function scalingMetrics(scaling: Update['scaling']) {
  if (!scaling) return {}
  const { scale, skippedSteps, cuts } = scaling
  return { loss_scale: scale, skipped_updates: skippedSteps, float16_cuts: cuts }
}

export default resource({
  summary:
    'AdamW with decoupled weight decay over the trained parts of a model, with clipping and a schedule.',
  kind: 'optimizer',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model whose weights it changes.' },
    learningRate: { type: 'number', minimum: 0, default: 1e-6, description: 'Peak learning rate.' },
    schedule: {
      type: 'string',
      enum: ['constant', 'linear', 'cosine'],
      default: 'cosine',
      description: 'How the rate goes on after the warm-up: constant, or falling to 0 at the last step.',
    },
    warmupRatio: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.03,
      description:
        'Share of all steps in which the rate rises from 0; if it is not 0, the first update has rate 0.',
    },
    steps: {
      type: 'integer',
      minimum: 1,
      description: 'Updates of the whole training, which the schedule covers.',
    },
    beta1: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.9,
      description: 'Decay of the running mean of gradients.',
    },
    beta2: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.999,
      description: 'Decay of the running mean of squared gradients.',
    },
    epsilon: {
      type: 'number',
      minimum: 0,
      default: 1e-8,
      description: 'Added to the root of the mean squared gradient.',
    },
    weightDecay: {
      type: 'number',
      minimum: 0,
      default: 0,
      description: 'Share of each weight that an update subtracts, times the learning rate.',
    },
    decayed: {
      type: 'string',
      enum: ['all', 'matrices'],
      default: 'all',
      description:
        'Which weights decay: all, or only matrices (no norms and biases), as in the trainers of Hugging Face.',
    },
    lossScale: {
      type: 'number',
      minimum: 1,
      default: 65536,
      description:
        'First factor of the loss of a float16 model, so that small derivatives do not round to 0; rounded down to a power of 2. No effect in float32.',
    },
    lossScaleGrowth: {
      type: 'integer',
      minimum: 0,
      default: 2000,
      description:
        'Updates in a row after which the loss scale doubles. If gradients leave the range of float16, the update is skipped and the scale halves. 0: the scale never doubles.',
    },
    clip: {
      type: 'number',
      minimum: 0,
      default: 1,
      description: 'Largest norm of all gradients together; 0 never clips.',
    },
  },
  outline: ({ schedule, steps }): ScheduleOutline => ({ schedule, steps }),
  memory: ({ model }, sizes) => {
    const { trained } = sizes(model)
    if (trained === undefined) throw new Error('the model cannot be read yet')
    return [{ what: 'first and second moments', bytes: 2 * trained * 4 }]
  },
  async inspect({ model, warmupRatio, steps }, { sizes }) {
    const { trained } = sizes(model)
    if (trained === 0)
      return [
        {
          field: 'model',
          rule: 'must name a model that trains something',
          lines: [`resource "${model}": its "train" names no part`],
          code: 'bad-config',
          remedy: 'set train of this model to ["connector", "language"], or to ["adapter"]',
        },
      ]
    if (Math.ceil(warmupRatio * steps) < steps) return []
    const lines = [`the learning rate still rises from 0 in all of the ${steps} updates`]
    const rule = 'must leave updates after the warm-up'
    return [
      {
        field: 'warmupRatio',
        rule,
        lines,
        code: 'bad-config',
        remedy: 'lower it, or raise steps',
        isWarning: true,
      },
    ]
  },
  async open(
    { model, clip, learningRate, schedule, warmupRatio, steps, ...rates },
    context,
  ): Promise<ScheduledOptimizer> {
    const policy = context.resource<LoadedModel>(model)
    if (policy.weights.slabs.length === 0)
      throw new CheckpointError({
        code: 'bad-config',
        message: `model "${model}": train must name what the optimizer changes (connector, language or adapter), found nothing`,
      })
    const optimizer = await adamWOptimizer(policy, { ...rates, maxGradientNorm: clip })
    optimizer.clearGradients()
    context.checkpoint({
      save: folder => saveOptimizer(policy, optimizer, folder, context.signal),
      restore: folder => restoreOptimizer(policy, optimizer, folder),
    })
    let isOver = false
    const rate = () => {
      const now = learningRateAt(optimizer.steps, { learningRate, schedule, warmupRatio, steps })
      if (now === 0 && optimizer.steps >= steps && learningRate > 0 && !isOver) {
        isOver = true
        context.log(
          `update ${optimizer.steps + 1} comes after the ${steps} steps of the schedule: the learning rate is 0, so this and later updates change nothing; make steps the number of all updates`,
          'warn',
        )
      }
      return now
    }
    return Object.assign(optimizer, { learningRate: rate, peakLearningRate: learningRate, totalSteps: steps })
  },
  close: optimizer => optimizer.free(),
})
