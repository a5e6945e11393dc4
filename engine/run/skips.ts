import type { PlannedNode } from '../graph/plan.ts'
import { boundOf } from '../graph/skip-bound.ts'
import { messageOf } from '../shared/errors.ts'
import { number } from '../shared/number.ts'
import { RunError } from './error.ts'
import type { Lease } from './items/lease.ts'
import { shownItem } from './node/fault.ts'

/**
 * A run of which nobody knows how many items it will have is judged while it runs as if it had at least this many: its first
 * broken item must not end it.
 */
const fewest = 100

interface Seen {
  /** Items of sources that are done. */
  readonly seen: number
  /** All items that the sources will give, where they have said it. */
  readonly expected: number | undefined
  readonly isOver: boolean
}

/**
 * The error of a run in which the nodes whose `onError` states a share have skipped more items, all together, than the
 * smallest of these shares allows. `skips` counts skipped items by name of the node.
 */
export function excessOf(
  nodes: readonly PlannedNode[],
  skips: ReadonlyMap<string, number>,
  { seen, expected, isOver }: Seen,
): RunError | undefined {
  const shares = nodes.flatMap(node => {
    const { onError } = node
    return typeof onError === 'object' && onError.skip !== undefined
      ? [{ name: node.name, node, share: onError.skip }]
      : []
  })
  const strictest = shares.sort((a, b) => a.share - b.share)[0]
  const skipped = shares.reduce((sum, { name }) => sum + (skips.get(name) ?? 0), 0)
  const counted = isOver ? seen : Math.max(seen, expected ?? fewest)
  if (!strictest || skipped <= strictest.share * counted) return undefined
  const { by, set } = boundOf(strictest.node)
  return new RunError(
    'too-many-skipped',
    `${skipped} of ${expected === undefined ? seen : counted} items were skipped, more than the share of ${strictest.share} that ${by} allows`,
    {
      node: strictest.name,
      remedy: `dead-letters.jsonl says why; mend the data, or allow a larger share by --set ${set}=SHARE`,
    },
  )
}

/** The line of the log about a skipped item. */
export const skippedLine = (node: PlannedNode, item: Lease, error: unknown): string =>
  `${node.name}: skipped ${shownItem(item)}: ${messageOf(error)}${shownBound(node)}`

/** What it adds for a node that may skip a share; else ''. */
function shownBound(node: PlannedNode): string {
  const { onError } = node
  if (typeof onError !== 'object' || onError.skip === undefined) return ''
  return ` (at most ${number(100 * onError.skip)} % of all items may be skipped: ${boundOf(node).by})`
}
