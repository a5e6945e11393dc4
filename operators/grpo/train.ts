import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Sequence } from '../../kernels/networks/packing.ts'
import { type Forward, forward, type VideoModel } from '../../kernels/networks/video-model.ts'
import { type ScheduledOptimizer, scalingMetrics } from '../model/adamw.ts'
import { countsOf } from './aggregation.ts'
import { entropyThreshold } from './entropy.ts'
import { GroupError } from './group-error.ts'
import { type GrpoLoss, grpoLoss, type LossBatch, type LossOptions, type Step } from './loss.ts'

export interface TrainOptions extends LossOptions {
  /** Divides the logits. */
  temperature: number
}

/** A group as its updates see it. */
export interface Part {
  sequence: Sequence
  /** What log-probabilities are over; nothing: all tokens. The owner frees it. */
  support?: Required<Tensor>
  batch: Omit<LossBatch, 'policy' | 'entropies'>
}

/**
 * One step of the optimizer on the gradients of all parts together. Each part is one pass; loss and gradients do not
 * depend on how completions are divided among them. The first log-probabilities of a part become its old ones.
 */
export async function updateOnce(
  parts: readonly Part[],
  policy: VideoModel,
  optimizer: ScheduledOptimizer,
  options: TrainOptions,
): Promise<Record<string, number>> {
  const steps = await stepsOf(parts, policy, options)
  try {
    const losses: GrpoLoss[] = []
    for (const [i, part] of parts.entries()) losses.push(await accumulate(part, policy, options, steps[i]))
    const sum = (of: (loss: GrpoLoss) => number) => losses.reduce((total, loss) => total + of(loss), 0)
    const loss = sum(part => part.loss)
    const { gradientNorm, applied, scaling } = await optimizer.step(optimizer.learningRate())
    if (!applied && !scaling?.skipped)
      throw new GroupError(
        'not-finite',
        `the gradient is not finite (loss ${loss}); the weights were left as they are`,
      )
    return {
      loss,
      kl: sum(({ metrics }) => metrics.kl),
      grad_norm: gradientNorm,
      entropy: sum(({ metrics }) => metrics.entropy),
      'clip_ratio/low_mean': sum(({ metrics }) => metrics.clipLow),
      'clip_ratio/high_mean': sum(({ metrics }) => metrics.clipHigh),
      'clip_ratio/region_mean': sum(({ metrics }) => metrics.clipRatio),
      ...scalingMetrics(scaling),
    }
  } finally {
    optimizer.clearGradients()
  }
}

/** Log-probabilities of the completions of a sequence, by completion. */
export async function logProbsOf(
  model: VideoModel,
  { sequence, support }: Pick<Part, 'sequence' | 'support'>,
  temperature: number,
) {
  const pass = await forward(model, [sequence], false, temperature, support)
  pass.free()
  return byCompletion(pass.logProbs, sequence)
}

/** Adds the gradients of one part. A part whose loss nothing changes, e.g. without advantages or KL, has no backward. */
async function accumulate(
  part: Part,
  policy: VideoModel,
  options: TrainOptions,
  step: Step,
): Promise<GrpoLoss> {
  const pass: Forward = await forward(policy, [part.sequence], true, options.temperature, part.support)
  try {
    const logProbs = byCompletion(pass.logProbs, part.sequence)
    const entropies = byCompletion(pass.entropies, part.sequence)
    const found = grpoLoss({ ...part.batch, policy: logProbs, entropies }, options, step)
    part.batch.old ??= logProbs
    const coefficients = Float32Array.from(found.dLogProbs.flatMap(row => [...row]))
    if (found.dEntropy !== 0) {
      const counted = part.batch.mask.flatMap(row => Array.from(row))
      pass.backward(
        coefficients,
        Float32Array.from(counted, m => m * found.dEntropy),
      )
    } else if (coefficients.some(coefficient => coefficient !== 0)) pass.backward(coefficients)
    return found
  } finally {
    pass.free()
  }
}

/** What each part's means divide by, and the entropy that counts, which all parts have in common. */
async function stepsOf(
  parts: readonly Part[],
  policy: VideoModel,
  options: TrainOptions,
): Promise<readonly Step[]> {
  const lengths = parts.map(part =>
    part.batch.mask.map(row => Array.from(row).reduce((sum, m) => sum + m, 0)),
  )
  const threshold =
    options.topEntropy < 1 ? await thresholdOf(parts, policy, options) : Number.NEGATIVE_INFINITY
  const whole = { ...countsOf(lengths.flat(), options), entropyThreshold: threshold }
  if (options.divisor === 'update') return parts.map(() => whole)
  return lengths.map(own => {
    const { sequences, tokens } = countsOf(own, options)
    return { sequences: sequences * parts.length, tokens: tokens * parts.length, entropyThreshold: threshold }
  })
}

/** Takes a pass over each part before the first backward: the quantile is one of all tokens of the update. */
async function thresholdOf(
  parts: readonly Part[],
  policy: VideoModel,
  { temperature, topEntropy }: TrainOptions,
): Promise<number> {
  const entropies: Float32Array[] = []
  for (const { sequence, support } of parts) {
    const pass = await forward(policy, [sequence], false, temperature, support)
    pass.free()
    entropies.push(...byCompletion(pass.entropies, sequence))
  }
  return entropyThreshold(
    entropies,
    parts.flatMap(part => part.batch.mask),
    topEntropy,
  )
}

function byCompletion(values: Float32Array, { completions = [] }: Sequence): Float32Array[] {
  let end = 0
  return completions.map(({ length }) => {
    end += length
    return values.subarray(end - length, end)
  })
}
