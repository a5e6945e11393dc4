import type { Tensor } from '../device/tensor.ts'
import { copy } from '../elementwise/copy.ts'
import { derived } from '../plan/derived.ts'
import type { Recording } from '../plan/recording.ts'
import { gatherRows } from '../rows/gather-rows.ts'
import type { IntegerMatrix } from '../weights/integers.ts'
import type { Parameter, Pass } from './pass.ts'

/** Row numbers: where each gathered row goes and where it comes from; -1 makes a row of zeros. */
export interface RowPair {
  to: number
  from: number
  /** What the row is multiplied by, in every pair of a list or in none; rows with the same destination are then summed. */
  weight?: number
}

/**
 * A list that may differ between uses of a recording, as a function: each use calls it. Its length must stay the same, and so
 * must an array as long as its contents do, since what is computed from it is kept.
 */
export type Rows<Row> = readonly Row[] | (() => readonly Row[])

/** A tensor (rows, columns of `from`) whose row i is row `rows[i]` of `from`; -1 gives zeros. */
export function gather(pass: Pass, from: Tensor, rows: Rows<number>, label = 'gather'): Tensor {
  const pairsOf = (list: readonly number[]) => list.map((row, to): RowPair => ({ to, from: row }))
  const pairs = typeof rows === 'function' ? derived(rows, pairsOf) : pairsOf(rows)
  const y = pass.output(label, [listOf(pairs).length, from.shape[1]], [from])
  gatherInto(pass, from, y, pairs)
  return y
}

/**
 * Writes rows of `from` into rows of `into`, each row of `into` at most once, or sums of weighted rows; gradients are summed back into `from`. If rows of
 * `into` are several times as long, pairs count pieces of them that are as long as rows of `from`.
 */
export function gatherInto(pass: Pass, from: Tensor | Parameter, into: Tensor, pairs: Rows<RowPair>): void {
  const source = 'value' in from ? (from.integers ?? from.value) : from
  const columns = source.shape[source.shape.length - 1]
  record(pass.recording, source, into, { pairs, columns, accumulate: false })
  pass.onBackward(into, gradient => {
    const back = typeof pairs === 'function' ? derived(pairs, inverse) : inverse(pairs)
    if ('value' in from) {
      if (from.gradient)
        record(pass.recording, gradient, from.gradient, { pairs: back, columns, accumulate: true })
      return
    }
    if (!pass.wants(from)) return
    const target = pass.into(from)
    // Rows that were not gathered are in no pair; clearing the tensor first gives them a gradient of zero.
    if (!target.accumulate) pass.recording.fill(target.gradient)
    record(pass.recording, gradient, target.gradient, { pairs: back, columns, accumulate: true })
  })
}

/**
 * x (rows, columns) with rows of other tensors added to some of its rows: of `from[i]` by `pairs[i]`, each row of x in one pair at
 * most.
 */
export function addRows(
  pass: Pass,
  x: Tensor,
  from: readonly Tensor[],
  pairs: readonly Rows<RowPair>[],
): Tensor {
  const { recording } = pass
  const y = pass.output(`${x.label} with rows added`, x.shape, [x, ...from])
  copy(recording, { from: x, into: y })
  const columns = x.shape[1]
  for (const [i, source] of from.entries())
    record(recording, source, y, { pairs: pairs[i], columns, accumulate: true })
  pass.onBackward(y, dy => {
    for (const [i, source] of from.entries()) {
      if (!pass.wants(source)) continue
      const list = pairs[i]
      const target = pass.into(source)
      if (!target.accumulate) recording.fill(target.gradient)
      const back = typeof list === 'function' ? derived(list, inverse) : inverse(list)
      record(recording, dy, target.gradient, { pairs: back, columns, accumulate: true })
    }
    pass.adopt(x, dy)
  })
  return y
}

const listOf = <Row>(rows: Rows<Row>): readonly Row[] => (typeof rows === 'function' ? rows() : rows)

/** A row of zeros has no gradient: its pair stays, so that the length does, but gives nothing to anyone. */
const inverse = (pairs: readonly RowPair[]): RowPair[] =>
  pairs.map(({ to, from, ...weight }) =>
    from < 0 ? { to: -1, from: -1 } : { to: from, from: to, ...weight },
  )

/** Pairs with the same destination are summed in the order given. */
function record(
  recording: Recording,
  from: Tensor | IntegerMatrix,
  into: Tensor,
  { pairs, columns, accumulate }: { pairs: Rows<RowPair>; columns: number; accumulate: boolean },
): void {
  if (listOf(pairs).length === 0) return
  const lists = typeof pairs === 'function' ? derived(pairs, sumLists) : sumLists(pairs)
  const tensor = (name: 'destinations' | 'offsets' | 'items'): Tensor => {
    if (typeof lists !== 'function') return recording.constant(name, [lists[name].length], lists[name])
    return recording.input(name, [lists()[name].length], () => lists()[name])
  }
  const weights = typeof lists === 'function' ? undefined : lists.weights
  gatherRows(recording, {
    from,
    into,
    destinations: tensor('destinations'),
    offsets: tensor('offsets'),
    items: tensor('items'),
    weights: weights && recording.constant('weights', [weights.length], weights),
    segments: typeof lists === 'function' ? listOf(pairs).length : lists.segments,
    accumulate,
    columns,
  })
}

/** As `GatherRows`, with room for as many segments as there are pairs; those after the first `segments` are empty. */
interface SumLists {
  segments: number
  destinations: Uint32Array<ArrayBuffer>
  offsets: Uint32Array<ArrayBuffer>
  items: Uint32Array<ArrayBuffer>
  /** By item. */
  weights?: Float32Array<ArrayBuffer>
}

function sumLists(pairs: readonly RowPair[]): SumLists {
  const sums = new Map<number, RowPair[]>()
  for (const pair of pairs) {
    if (pair.to < 0) continue
    const items = sums.get(pair.to) ?? []
    if (pair.from >= 0) items.push(pair)
    sums.set(pair.to, items)
  }
  const weights = pairs[0]?.weight === undefined ? undefined : new Float32Array(pairs.length)
  const [destinations, items] = [new Uint32Array(pairs.length), new Uint32Array(pairs.length)]
  const offsets = new Uint32Array(pairs.length + 1)
  let segment = 0
  let end = 0
  for (const [to, from] of sums) {
    destinations[segment++] = to
    for (const pair of from) {
      if (weights) weights[end] = pair.weight ?? 0
      items[end++] = pair.from
    }
    offsets[segment] = end
  }
  offsets.fill(end, segment + 1)
  return { segments: sums.size, destinations, offsets, items, ...(weights && { weights }) }
}
