import t from 'tap'
import type { OwnLoss, OwnLossRows } from '../../../operators/grpo/group-loss.ts'
import { lossFaultsOf, lossTrials } from '../../../operators/grpo/loss-testing.ts'

/** Squares of the distances from the reference, else from 1; `change` spoils what it returns. */
const squares =
  (change: (found: { loss: number; dLogProbs: number[][] }, rows: OwnLossRows) => void = () => {}) =>
  (rows: OwnLossRows, { scale }: { scale: number }): OwnLoss => {
    let loss = 0
    const dLogProbs = rows.policy.map((row, i) =>
      row.map((value, t) => {
        const gap = rows.mask[i][t] * (value - (rows.reference?.[i][t] ?? 1))
        loss += (scale * gap ** 2) / 2
        return scale * gap
      }),
    )
    const found = { loss, dLogProbs }
    change(found, rows)
    return found
  }

t.test('a loss whose derivative is right has no fault, whatever its rows', async t => {
  t.same(lossFaultsOf(squares(), { scale: 3 }), [])
  const [first] = lossTrials
  t.same(lossFaultsOf(squares(), { scale: 1 }, first && [first]), [])
  t.ok(
    lossTrials.some(({ old }) => old) && lossTrials.some(({ reference }) => reference),
    'rows of before and of the reference are among the trials',
  )
})

t.test('each fault of a loss is told with its place', async t => {
  const spoilt = (change: Parameters<typeof squares>[0], message: RegExp) =>
    [squares(change), message] as const
  const fails = () => {
    throw new Error('no pair')
  }
  const faults: (readonly [ReturnType<typeof squares>, RegExp])[] = [
    spoilt(({ dLogProbs: [row = []] }) => {
      row[1] = -row[1]
    }, /^trial 1: dLogProbs 0, token 1: must be -2\.25000, as by finite differences, found 2\.25$/),
    spoilt(({ dLogProbs: [, , row = []] }) => {
      row[3] = 1
    }, /^trial 1: dLogProbs 2, token 3: must be 0, for the mask leaves the token out, found 1$/),
    spoilt(
      ({ dLogProbs }) => void dLogProbs.pop(),
      /dLogProbs must have 3 rows, one for each completion, found 2/,
    ),
    spoilt(
      ({ dLogProbs: [, row] }) => void row?.pop(),
      /dLogProbs 1 must have 1 numbers, one for each token, found 0/,
    ),
    spoilt(found => {
      found.loss = Number.NaN
    }, /the loss must be a finite number, found NaN/),
    spoilt((_, { mask: [row] }) => void (row as number[]).fill(0), /must not change the rows/),
    [fails, /the loss must not fail: no pair/],
  ]
  for (const [loss, message] of faults) {
    const [fault = 'none'] = lossFaultsOf(loss, { scale: 1 })
    t.match(fault, message)
  }
  const forgetsReference = (rows: OwnLossRows, config: { scale: number }) => ({
    ...squares()(rows, config),
    dLogProbs: squares()({ ...rows, reference: null }, config).dLogProbs,
  })
  t.ok(lossFaultsOf(forgetsReference, { scale: 1 }).some(fault => fault.startsWith('trial 3: ')))
})
