import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { gatherRows } from '../rows/gather-rows.ts'
import type { Parameter, Pass } from './pass.ts'

/** Row numbers: where each gathered row goes and where it comes from; -1 makes a row of zeros. */
export interface RowPair {
  to: number
  from: number
}

/** A tensor (rows, columns of `from`) whose row i is row `rows[i]` of `from`; -1 gives zeros. */
export function gather(pass: Pass, from: Tensor, rows: readonly number[], label = 'gather'): Tensor {
  const y = pass.output(label, [rows.length, from.shape[1]], [from])
  gatherInto(
    pass,
    from,
    y,
    rows.map((row, to) => ({ to, from: row })),
  )
  return y
}

/**
 * Writes rows of `from` into rows of `into`, each row of `into` at most once; gradients are summed back into `from`. Returns
 * the list of the rows that are read, in the order of the pairs: without a backward, its contents may be changed before a run.
 */
export function gatherInto(
  pass: Pass,
  from: Tensor | Parameter,
  into: Tensor,
  pairs: readonly RowPair[],
): Tensor | undefined {
  const source = 'value' in from ? from.value : from
  const read = record(pass.recording, source, into, pairs, false)
  pass.onBackward(into, gradient => {
    const back = inverse(pairs)
    if ('value' in from) {
      if (from.gradient) record(pass.recording, gradient, from.gradient, back, true)
      return
    }
    if (!pass.wants(from)) return
    const target = pass.into(from)
    // Rows that were not gathered are in no pair; clearing the tensor first gives them a gradient of zero.
    if (!target.accumulate) pass.recording.fill(target.gradient)
    record(pass.recording, gradient, target.gradient, back, true)
  })
  return read
}

function inverse(pairs: readonly RowPair[]): RowPair[] {
  return pairs.filter(pair => pair.from >= 0).map(({ to, from }) => ({ to: from, from: to }))
}

/** Pairs with the same destination are summed in the order given. */
function record(
  recording: Recording,
  from: Tensor,
  into: Tensor,
  pairs: readonly RowPair[],
  accumulate: boolean,
): Tensor | undefined {
  const sums = new Map<number, number[]>()
  for (const pair of pairs) {
    const items = sums.get(pair.to) ?? []
    if (pair.from >= 0) items.push(pair.from)
    sums.set(pair.to, items)
  }
  if (sums.size === 0) return undefined
  const offsets = [0]
  for (const items of sums.values()) offsets.push((offsets.at(-1) ?? 0) + items.length)
  const items = [...sums.values()].flat()
  const list = (label: string, values: Iterable<number>): Tensor => {
    const data = Uint32Array.from(values)
    return recording.constant(label, [data.length], data)
  }
  const read = list('items', items.length > 0 ? items : [0])
  gatherRows(recording, {
    from,
    into,
    destinations: list('destinations', sums.keys()),
    offsets: list('offsets', offsets),
    items: read,
    segments: sums.size,
    accumulate,
  })
  return read
}
