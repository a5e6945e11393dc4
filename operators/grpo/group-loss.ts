import {
  type Config,
  type Context,
  type Fields,
  type Operator,
  operator,
  type Port,
} from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { groupPort } from '../ports.ts'
import type { Counts } from './aggregation.ts'
import { GroupError } from './group-error.ts'
import type { GrpoMetrics, LossFunction, LossRows, Rows } from './loss.ts'
import {
  groupLearner,
  groupTeam,
  groupUpdates,
  inspectGroupCount,
  updateFields,
  updateGroups,
  updateMemory,
} from './update-groups.ts'

/** What a loss of one's own says about the completions that it is given. */
export interface OwnLoss {
  /** Its share of the loss of the whole update: the shares are added. */
  loss: number
  /** Derivative of `loss` with respect to each log-probability of `rows.policy`, one row a completion. */
  dLogProbs: Rows
  /** More numbers for `metrics.jsonl`, by name; they are added like the loss. */
  metrics?: Readonly<Record<string, number>>
}

/** One list a completion, with one number a token. */
export type OwnRows = readonly (readonly number[])[]

/** What a loss of one's own is given of the completions of one group. */
export interface OwnLossRows {
  /** Log-probabilities that the loss is differentiated by. */
  readonly policy: OwnRows
  /** The same before the first update on a batch; null in that update. */
  readonly old: OwnRows | null
  /** The same of the reference model; null without one. */
  readonly reference: OwnRows | null
  /** Entropies of the policy. */
  readonly entropies: OwnRows | null
  /** One for each completion. */
  readonly advantages: readonly number[]
  /** 1 for tokens that count, else 0. */
  readonly mask: OwnRows
}

/**
 * A loss of one's own, for the completions of one group. `totals` counts the completions and the tokens of the whole update,
 * for means.
 */
export type OwnLossFunction<F extends Fields = Fields> = (
  rows: OwnLossRows,
  config: Config<F>,
  totals: Counts,
) => OwnLoss

const inputs = { groups: groupPort } as const

/**
 * An operator that updates the policy with a loss of one's own, with batches, metrics, alarms and checkpoints as
 * grpo.update has them. `fields` are the config of the loss; a field `reference` without a default makes the reference
 * model required.
 */
export const groupLoss = <const F extends Fields = Record<never, never>>(
  summary: string,
  loss: OwnLossFunction<F>,
  fields?: F,
): Operator<typeof updateFields & F, typeof inputs> => {
  const outputs: Readonly<Record<string, Port>> = { version: { kind: 'version', inPlace: true } }
  const lossOf =
    (given: unknown, context: Context): LossFunction =>
    (rows, _options, totals) => {
      // the cast: the type of a merged config is not computed while F is open
      const found = loss(ownRows(rows), given as Config<F>, totals)
      return { ...checked(found, rows, context.node), metrics: measures(rows, totals, found.metrics) }
    }
  return operator({
    summary,
    // the cast: without `fields`, F has no keys
    config: { ...updateFields, ...(fields as F) },
    inputs,
    outputs,
    effects: true,
    credits: given => optionsOf(given).groupsPerUpdate,
    collects: given => optionsOf(given).groupsPerUpdate,
    memory: (given, known) => updateMemory(optionsOf(given), known),
    makes: (given, groups) => groupUpdates(optionsOf(given), groups),
    inspectCount: (groups, given, known) => inspectGroupCount(groups, optionsOf(given), known),
    drops: true,
    team: {
      ...groupTeam,
      work: (given, context) => groupLearner(optionsOf(given), context, lossOf(given, context)).learn,
    },
    run: ({ groups }, given, context) =>
      updateGroups(groups, optionsOf(given), context, lossOf(given, context)),
  })
}

/** The rows as lists of numbers, whatever arrays hold them. */
function ownRows({ policy, old, reference, entropies, advantages, mask }: LossRows): OwnLossRows {
  const lists = (rows: Rows) => rows.map(row => Array.from(row))
  return {
    policy: lists(policy),
    old: old && lists(old),
    reference: reference && lists(reference),
    entropies: entropies ? lists(entropies) : null,
    advantages,
    mask: lists(mask),
  }
}

/** Options of grpo.update that a loss of one's own has no use for, so that they do nothing. */
const unused = {
  importance: 'none',
  topEntropy: 1,
  entropyCoefficient: 0,
  entropyTarget: 0,
  entropyStep: 0,
  entropyMost: 0,
  divisor: 'update',
  emptySequences: 'count',
  referenceEvery: 0,
  referenceShare: 0,
} as const

/** The options of the update; `beta` says whether there is a reference. */
function optionsOf(given: unknown) {
  // the cast: an operator's config has the fields that it declares
  const config = given as Config<typeof updateFields>
  // the cast: these are the options that the update itself reads; the others are read by grpoLoss alone
  return { ...config, ...unused, beta: config.reference === '' ? 0 : 1 } as Parameters<typeof updateGroups>[1]
}

/** The loss, with the shape and the numbers that an update needs. A plugin may be written in JavaScript. */
function checked({ loss, dLogProbs }: OwnLoss, { policy }: LossRows, node: string) {
  const bad = (found: string) =>
    new GroupError(
      'bad-loss',
      `${node}: the loss must return a finite loss and a finite derivative for each log-probability, found ${found}`,
    )
  if (!Number.isFinite(loss)) throw bad(`loss ${String(loss)}`)
  if (!Array.isArray(dLogProbs) || dLogProbs.length !== policy.length)
    throw bad(`${Array.isArray(dLogProbs) ? dLogProbs.length : 'no'} rows for ${policy.length} completions`)
  const rows = dLogProbs.map((row: ArrayLike<number>, i) => {
    const { length } = at(policy, i)
    if (row?.length !== length)
      throw bad(`${row?.length ?? 'no'} derivatives for ${length} tokens (row ${i})`)
    const slopes = Float64Array.from(row)
    const wrong = slopes.findIndex(slope => !Number.isFinite(slope))
    if (wrong >= 0) throw bad(`${slopes[wrong]} (row ${i}, token ${wrong})`)
    return slopes
  })
  return { loss, dLogProbs: rows, dEntropy: 0 }
}

/** What is measured whatever the loss: the divergence from the reference, by the estimator k3, and the entropy. */
function measures(
  { policy, reference, entropies, mask }: LossRows,
  { completions, tokens }: Counts,
  more: OwnLoss['metrics'] = {},
): GrpoMetrics {
  let [kl, entropy, counted] = [0, 0, 0]
  policy.forEach((row, i) => {
    const counts = Array.from(at(mask, i))
    const length = counts.reduce((sum, count) => sum + count, 0)
    counted += length
    counts.forEach((count, t) => {
      if (count === 0) return
      entropy += entropies ? at(at(entropies, i), t) : 0
      if (!reference) return
      const x = at(row, t) - at(at(reference, i), t)
      kl += (Math.exp(-x) + x - 1) / length
    })
  })
  return {
    kl: kl / Math.max(completions, 1),
    clipRatio: 0,
    clipLow: 0,
    clipHigh: 0,
    entropy: entropy / Math.max(tokens, 1),
    completionLength: counted / Math.max(completions, 1),
    more,
  }
}
