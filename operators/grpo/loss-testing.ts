// `flow/testing` for losses: compares the derivative that a loss returns with finite differences of the loss itself.
import { at } from '../../engine/shared/at.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { finiteDifferences } from '../../kernels/finite-differences.ts'
import type { Counts } from './aggregation.ts'
import type { OwnLoss, OwnLossRows, OwnRows } from './group-loss.ts'

type Loss<C> = (rows: OwnLossRows, config: C, totals: Counts) => OwnLoss

const policy = [[-0.5, -1.25, -0.1], [-0.3], [-0.7, -3, -0.2, -1.1]]
const mask = [[1, 1, 1], [1], [1, 1, 0, 0]]
const advantages = [1, -0.25, -1.5]
const entropies = policy.map(row => row.map(value => -value))
const moved = (by: number): OwnRows => policy.map((row, i) => row.map((value, t) => value + by * (i + t - 1)))

/** Completions of one group in the first update on a batch, in a later one, and with a reference model. */
export const lossTrials: readonly OwnLossRows[] = [
  { policy, old: null, reference: null, entropies, advantages, mask },
  { policy, old: moved(0.07), reference: null, entropies, advantages, mask },
  { policy, old: moved(-0.04), reference: moved(0.11), entropies, advantages, mask },
]

/**
 * What is wrong with a loss of one's own, one sentence for each fault, none if it is right: a loss or a derivative that is not
 * finite, too few derivatives, one that differs from finite differences of the loss, one at a token that the mask leaves
 * out, or rows that the loss changed. `trials` are the rows that it is given.
 */
export function lossFaultsOf<C>(
  loss: Loss<C>,
  config: C,
  trials: readonly OwnLossRows[] = lossTrials,
): string[] {
  return trials.flatMap((rows, i) =>
    faultsOfTrial(loss, config, rows).map(fault => `trial ${i + 1}: ${fault}`),
  )
}

/** Largest difference from finite differences, relative to the slope where it is above 1. */
const bound = 1e-6

function faultsOfTrial<C>(loss: Loss<C>, config: C, rows: OwnLossRows): string[] {
  const counted = rows.mask.map(row => row.reduce((sum, counts) => sum + counts, 0))
  const totals = { completions: rows.policy.length, tokens: counted.reduce((sum, count) => sum + count, 0) }
  const before = JSON.stringify(rows)
  try {
    const { loss: value, dLogProbs } = loss(rows, config, totals)
    if (JSON.stringify(rows) !== before) return ['the loss must not change the rows that it is given']
    if (!Number.isFinite(value)) return [`the loss must be a finite number, found ${String(value)}`]
    if (!Array.isArray(dLogProbs) || dLogProbs.length !== rows.policy.length)
      return [
        `dLogProbs must have ${rows.policy.length} rows, one for each completion, found ${dLogProbs?.length ?? 'none'}`,
      ]
    return rows.policy.flatMap((row, i) => {
      const found: number[] = Array.from(at(dLogProbs, i) as ArrayLike<number>) // the cast: Array.isArray forgot the type
      if (found.length !== row.length)
        return [`dLogProbs ${i} must have ${row.length} numbers, one for each token, found ${found.length}`]
      const lossOf = (numbers: readonly number[]) => {
        const changed = rows.policy.map((other, j) => (i === j ? numbers : other))
        return [loss({ ...rows, policy: changed }, config, totals).loss]
      }
      const wanted = finiteDifferences(lossOf, row, [1])
      return found.flatMap((slope, t) => faultOfSlope({ slope, wanted: at(wanted, t), i, t, rows }))
    })
  } catch (error) {
    return [`the loss must not fail: ${messageOf(error)}`]
  }
}

interface Slope {
  slope: number
  wanted: number
  /** Numbers of the completion and the token. */
  i: number
  t: number
  rows: OwnLossRows
}

function faultOfSlope({ slope, wanted, i, t, rows }: Slope): string[] {
  const where = `dLogProbs ${i}, token ${t}`
  if (at(at(rows.mask, i), t) === 0)
    return slope === 0 ? [] : [`${where}: must be 0, for the mask leaves the token out, found ${slope}`]
  if (Math.abs(slope - wanted) <= bound * Math.max(1, Math.abs(wanted))) return []
  return [`${where}: must be ${wanted.toPrecision(6)}, as by finite differences, found ${slope}`]
}
