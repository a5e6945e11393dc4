import type { PlannedNode } from '../graph/plan.ts'
import { RunError } from './error.ts'

/** A run of fewer items is judged while it runs as if it had this many: its first broken item must not end it. */
const fewest = 100

/**
 * The error of a run in which the nodes whose `onError` states a share have skipped more items, all together, than the
 * smallest of these shares allows. `skips` counts skipped items by name of the node, `seen` items of sources.
 */
export function excessOf(
  nodes: readonly PlannedNode[],
  skips: ReadonlyMap<string, number>,
  seen: number,
  isOver: boolean,
): RunError | undefined {
  const shares = nodes.flatMap(({ onError, name }) =>
    typeof onError === 'object' && onError.skip !== undefined ? [{ name, share: onError.skip }] : [],
  )
  const strictest = shares.sort((a, b) => a.share - b.share)[0]
  const skipped = shares.reduce((sum, { name }) => sum + (skips.get(name) ?? 0), 0)
  const counted = isOver ? seen : Math.max(seen, fewest)
  if (!strictest || skipped <= strictest.share * counted) return undefined
  return new RunError(
    'too-many-skipped',
    `${skipped} of ${seen} items were skipped, more than the share of ${strictest.share} that onError of "${strictest.name}" allows`,
    { node: strictest.name, remedy: 'dead-letters.jsonl says why; mend the data, or allow a larger share' },
  )
}
