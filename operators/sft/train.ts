import { alone, type Team } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { pack, type Sequence, visualTokensOf } from '../../kernels/networks/packing.ts'
import { forward, type VideoModel } from '../../kernels/networks/video-model.ts'
import { type ScheduledOptimizer, scalingMetrics } from '../model/adamw.ts'
import { sumGradients } from '../model/summed-gradients.ts'
import { ExampleError } from './example-error.ts'
import { sftLoss } from './loss.ts'

/** `update`: the mean over all labelled tokens. `batch`: the mean of the batches' means, as in the published program. */
export type Divisor = 'update' | 'batch'

export interface SftStep {
  loss: number
  /** Before clipping. */
  grad_norm: number
  /** Labelled tokens. */
  tokens: number
  /** With products in float16; see `scalingMetrics`. */
  loss_scale?: number
  skipped_updates?: number
  float16_cuts?: number
}

/**
 * One step of the optimizer on all batches together, each of them one pass. The sequences of a batch are packed without
 * padding and do not attend to each other, so the numbers are those of a padded batch with a mask. Processes of a team
 * do the step together, each on its own batches.
 */
export async function learn(
  batches: readonly (readonly Sequence[])[],
  model: VideoModel,
  optimizer: ScheduledOptimizer,
  divisor: Divisor,
  team: Team = alone,
): Promise<SftStep> {
  const own = batches.map(batch => labelledTokens(batch, model))
  const counts = (await team.gather(own)).flat()
  const tokens = counts.reduce((sum, count) => sum + count, 0)
  try {
    const losses: number[] = []
    for (const [i, batch] of batches.entries()) {
      const divideBy = divisor === 'update' ? tokens : at(own, i) * counts.length
      losses.push(await accumulate(batch, model, divideBy))
    }
    const loss = (await team.gather(losses)).flat().reduce((sum, part) => sum + part, 0)
    await sumGradients(model, team)
    const { gradientNorm, applied, scaling } = await optimizer.step(optimizer.learningRate())
    if (!applied && !scaling?.skipped)
      throw new ExampleError(
        'not-finite',
        `the gradient must be finite, found NaN or infinity (loss ${loss}); the weights were left as they are`,
        { remedy: 'lower the learning rate, or look at the conversations of this update' },
      )
    return { loss, grad_norm: gradientNorm, tokens, ...scalingMetrics(scaling) }
  } finally {
    optimizer.clearGradients()
  }
}

/** Adds the gradients of one batch and returns its share of the loss. */
async function accumulate(batch: readonly Sequence[], model: VideoModel, divideBy: number): Promise<number> {
  const pass = await forward(model, batch, true)
  try {
    const { loss, dLogProbs } = sftLoss([pass.logProbs], divideBy)
    pass.backward(Float32Array.from(dLogProbs.flatMap(row => [...row])))
    return loss
  } finally {
    pass.free()
  }
}

/** Labelled tokens that remain when sequences are truncated to the model's length. */
function labelledTokens(batch: readonly Sequence[], { shape, maxLength }: VideoModel): number {
  const count = pack(batch, visualTokensOf(shape), maxLength).supervisedTokens.length
  if (count > 0) return count
  throw new ExampleError('nothing-to-learn', `no answer starts within the model's ${maxLength} tokens`)
}
