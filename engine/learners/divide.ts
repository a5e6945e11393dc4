/**
 * Divides the values of a batch among a number of processes: each gets whole pieces of `items` values, in order, and no one
 * more than one piece more than another. The last piece may be short, and of a short batch some get nothing.
 */
export function divide<T>(values: readonly T[], items: number, size: number): T[][] {
  const pieces = Math.ceil(values.length / items)
  const start = (rank: number) => Math.floor((pieces * rank) / size) * items
  return Array.from({ length: size }, (_, rank) => values.slice(start(rank), start(rank + 1)))
}
