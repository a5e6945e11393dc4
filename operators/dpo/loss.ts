import { at } from '../../engine/shared/at.ts'
import type { Counts } from '../grpo/aggregation.ts'
import { GroupError } from '../grpo/group-error.ts'
import type { OwnLoss } from '../grpo/group-loss.ts'
import type { LossRows } from '../grpo/loss.ts'

export interface DpoOptions {
  beta: number
  labelSmoothing: number
}

/**
 * Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290, equation 7), of one pair: the completion with a
 * positive advantage is preferred to the one with a negative. With h = β·(log-ratio of the preferred − log-ratio of the
 * other), log-ratios being sums over tokens of policy − reference, the loss is −(1−ε)·log σ(h) − ε·log σ(−h).
 */
export function dpoLoss(
  { policy, reference, advantages, mask }: LossRows,
  { beta, labelSmoothing }: DpoOptions,
  { completions }: Counts,
): OwnLoss {
  const [chosen, rejected] = [advantages.findIndex(a => a > 0), advantages.findIndex(a => a < 0)]
  if (advantages.length !== 2 || chosen < 0 || rejected < 0)
    throw new GroupError(
      'no-pair',
      `dpo.update: each group must be a pair, one completion with a positive advantage and one with a negative; found advantages ${advantages.join(', ')}; put dpo.pairs before this node`,
    )
  if (!reference)
    throw new GroupError('missing-reference', 'dpo.update: must have a reference model, found none')
  const sumOf = (rows: LossRows['policy'], i: number) =>
    Array.from(at(rows, i)).reduce((sum, value, t) => sum + at(at(mask, i), t) * value, 0)
  const ratioOf = (i: number) => sumOf(policy, i) - sumOf(reference, i)
  const [better, worse] = [beta * ratioOf(chosen), beta * ratioOf(rejected)]
  const h = better - worse
  const pairs = Math.max(completions / 2, 1)
  const loss = ((1 - labelSmoothing) * softplus(-h) + labelSmoothing * softplus(h)) / pairs
  const slope = (beta * (labelSmoothing - 1 + sigmoid(h))) / pairs
  const dLogProbs = policy.map((row, i) =>
    Float64Array.from(row, (_, t) => at(at(mask, i), t) * (i === chosen ? slope : -slope)),
  )
  const share = (value: number) => value / pairs
  const metrics = {
    'dpo/chosen': share(better),
    'dpo/rejected': share(worse),
    'dpo/margin': share(h),
    'dpo/accuracy': share(Number(h > 0)),
  }
  return { loss, dLogProbs, metrics }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** log(1 + eˣ), exact where eˣ is too large or too small for it. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
