import { asInGraph } from '../../graph/flatten/param-at.ts'
import type { PlannedNode } from '../../graph/plan.ts'
import { messageOf } from '../../shared/errors.ts'
import { RunError } from '../error.ts'
import type { Lease } from '../items/lease.ts'

/** The error of a node, and of the item that it worked on, as the run ends with it. */
export function describeFault(
  { name, operatorName, operator, at }: PlannedNode,
  error: unknown,
  item?: Lease,
): RunError {
  const code = error instanceof RunError ? error.code : 'operator-failed'
  const about = item ? `, ${shownItem(item)}, seed ${item.seed}` : ''
  const message = asInGraph(messageOf(error), at, operator.config)
  return new RunError(code, `node "${name}" (${operatorName})${about}: ${message}`, {
    node: name,
    cause: error,
    ...(item && { key: item.key, seed: item.seed }),
  })
}

/** An item for people: its key, and where it was read. */
export const shownItem = ({ key, place }: Pick<Lease, 'key' | 'place'>): string =>
  place === undefined ? `item "${key}"` : `item "${key}" (${place})`
