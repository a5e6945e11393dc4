import { alone, type Team } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { type Forward, forward, type VideoModel } from '../../kernels/networks/video-model.ts'
import { type ScheduledOptimizer, scalingMetrics } from '../model/adamw.ts'
import { sumGradients } from '../model/summed-gradients.ts'
import { countsOf } from './aggregation.ts'
import { entropyThreshold } from './entropy.ts'
import { GroupError } from './group-error.ts'
import {
  type GrpoLoss,
  grpoLoss,
  type LossFunction,
  type LossOptions,
  type LossRows,
  type UpdateTotals,
} from './loss.ts'
import { rowsOf, type UpdateShare } from './prepare.ts'

export interface TrainOptions extends LossOptions {
  /** Divides the logits. */
  temperature: number
}

/**
 * One step of the optimizer on the gradients of all shares together. Each share is one forward and backward pass; loss
 * and gradients do not depend on how completions are divided into shares. The log-probabilities of a share's first pass
 * become its old ones. Processes of a team do the step together, each on its own shares.
 */
export async function updateOnce(
  shares: readonly UpdateShare[],
  policy: VideoModel,
  optimizer: ScheduledOptimizer,
  options: TrainOptions,
  lossOf: LossFunction = grpoLoss,
  team: Team = alone,
): Promise<UpdateMetrics> {
  const totals = await totalsOf(shares, policy, options, team)
  try {
    const own: Measured[] = []
    for (const [i, share] of shares.entries()) {
      const { loss, metrics } = await addGradients(share, policy, options, rows =>
        lossOf(rows, options, at(totals, i)),
      )
      own.push({ loss, metrics })
    }
    const losses = (await team.gather(own)).flat()
    const sum = (of: (loss: Measured) => number) => losses.reduce((total, loss) => total + of(loss), 0)
    const loss = sum(share => share.loss)
    await sumGradients(policy, team)
    const { gradientNorm, applied, scaling } = await optimizer.step(optimizer.learningRate())
    if (!applied && !scaling?.skipped)
      throw new GroupError(
        'not-finite',
        `the gradient must be finite, found NaN or infinity (loss ${loss}, largest advantage ${largest(shares)}); the weights were left as they are`,
        { remedy: 'bound the rewards if the advantage is large, else lower the learning rate' },
      )
    return {
      loss,
      kl: sum(({ metrics }) => metrics.kl),
      grad_norm: gradientNorm,
      entropy: sum(({ metrics }) => metrics.entropy),
      'clip_ratio/low_mean': sum(({ metrics }) => metrics.clipLow),
      'clip_ratio/high_mean': sum(({ metrics }) => metrics.clipHigh),
      'clip_ratio/region_mean': sum(({ metrics }) => metrics.clipRatio),
      ...added(losses.map(({ metrics }) => metrics.more ?? {})),
      ...scalingMetrics(scaling),
    }
  } finally {
    optimizer.clearGradients()
  }
}

const largest = (shares: readonly UpdateShare[]): number =>
  shares.flatMap(({ rows }) => rows.advantages).reduce((most, one) => Math.max(most, Math.abs(one)), 0)

/** What is measured of a share. */
type Measured = Pick<GrpoLoss, 'loss' | 'metrics'>

/** The sums of numbers by name. */
function added(shares: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const share of shares)
    for (const [name, value] of Object.entries(share)) sums[name] = (sums[name] ?? 0) + value
  return sums
}

/** An update by the names of `metrics.jsonl`. */
export interface UpdateMetrics extends Readonly<Record<string, number>> {
  readonly loss: number
  readonly kl: number
  readonly grad_norm: number
  readonly entropy: number
}

/**
 * What the means of each share divide by, and the entropy threshold of all shares of the team together. Both are needed
 * before the first backward pass.
 */
async function totalsOf(
  shares: readonly UpdateShare[],
  policy: VideoModel,
  options: TrainOptions,
  team: Team,
): Promise<readonly UpdateTotals[]> {
  const lengths = shares.map(share =>
    share.rows.mask.map(row => Array.from(row).reduce((sum, counts) => sum + counts, 0)),
  )
  const threshold =
    options.topEntropy < 1 ? await thresholdOf(shares, policy, options, team) : Number.NEGATIVE_INFINITY
  const all = (await team.gather(lengths)).flat()
  const update = { ...countsOf(all.flat(), options), entropyThreshold: threshold }
  if (options.divisor === 'update') return shares.map(() => update)
  return lengths.map(ofShare => {
    const { completions, tokens } = countsOf(ofShare, options)
    const { length } = all
    return { completions: completions * length, tokens: tokens * length, entropyThreshold: threshold }
  })
}

/** A quantile over all tokens of the update, so it takes a forward pass over each share. */
async function thresholdOf(
  shares: readonly UpdateShare[],
  policy: VideoModel,
  { temperature, topEntropy }: TrainOptions,
  team: Team,
): Promise<number> {
  const entropies: Float32Array[] = []
  for (const { sequence, support } of shares) {
    const pass = await forward(policy, [sequence], false, temperature, support)
    pass.free()
    entropies.push(...rowsOf(pass.entropies, sequence))
  }
  const masks = shares.flatMap(share => share.rows.mask)
  const all = await team.gather({ entropies, masks })
  return entropyThreshold(
    all.flatMap(one => one.entropies),
    all.flatMap(one => one.masks),
    topEntropy,
  )
}

/** Forward, loss and backward of one share. A share whose loss has no slope, e.g. without advantages and KL, has no backward. */
async function addGradients(
  share: UpdateShare,
  policy: VideoModel,
  { temperature }: TrainOptions,
  lossOf: (rows: LossRows) => GrpoLoss,
): Promise<GrpoLoss> {
  const pass: Forward = await forward(policy, [share.sequence], true, temperature, share.support)
  try {
    const logProbs = rowsOf(pass.logProbs, share.sequence)
    const entropies = rowsOf(pass.entropies, share.sequence)
    const reference = await share.rows.reference
    const loss = lossOf({ ...share.rows, reference, policy: logProbs, entropies })
    share.rows.old ??= logProbs
    const coefficients = Float32Array.from(loss.dLogProbs.flatMap(row => [...row]))
    if (loss.dEntropy !== 0) {
      const counted = share.rows.mask.flatMap(row => Array.from(row))
      pass.backward(
        coefficients,
        Float32Array.from(counted, counts => counts * loss.dEntropy),
      )
    } else if (coefficients.some(coefficient => coefficient !== 0)) pass.backward(coefficients)
    return loss
  } finally {
    pass.free()
  }
}
