import type { Context } from '../engine/operator.ts'

/** A metric with the number of items that were skipped so far, e.g. broken clips; nothing while there is none. */
export function skippedMetric({ skippedItems }: Pick<Context, 'skippedItems'>): { skipped?: number } {
  const skipped = skippedItems()
  return skipped > 0 ? { skipped } : {}
}
