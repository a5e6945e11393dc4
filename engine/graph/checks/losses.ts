import { lastResort, type Wire } from '../flatten/flat.ts'
import type { PlannedNode } from '../plan.ts'

/** Items that a node waits for before it emits any. */
export const collectedBy = ({ operator, config }: PlannedNode): number =>
  operator.waitsForEnd ? Infinity : (operator.collects?.(config) ?? 1)

/** An edge that throws items away when it is full. */
export const dropsItems = (wire: Wire): boolean => wire.whenFull === 'drop-oldest' || wire.keep === 'latest'

/** An item may get lost at a node or on an edge to it. */
export const mayDrop = ({ operator, wires, onError }: PlannedNode): boolean =>
  (operator.drops !== false && wires.length > 0) || lastResort(onError) === 'skip' || wires.some(dropsItems)
