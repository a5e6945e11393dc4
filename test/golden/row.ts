/** One line of the golden report. */
export interface Row {
  name: string
  /** Largest error found; for texts, ids and indices the number of cases that differ. */
  error: number
  bound: number
  ok: boolean
}

export const row = (name: string, error: number, bound: number): Row => ({
  name,
  error,
  bound,
  ok: error <= bound,
})

/** Number of places where two lists differ, the missing ones included. */
export function differences(found: ArrayLike<unknown>, expected: ArrayLike<unknown>): number {
  const length = Math.max(found.length, expected.length)
  let count = 0
  for (let i = 0; i < length; i++)
    if (i >= found.length || i >= expected.length || found[i] !== expected[i]) count++
  return count
}

/** |a − b| relative to the greater of 1 and |b|, the largest of all pairs; not a number counts as infinite. */
export function largestError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  let largest = 0
  for (let i = 0; i < found.length; i++) {
    const b = expected[i] ?? Number.NaN
    const error = Math.abs((found[i] ?? Number.NaN) - b) / Math.max(1, Math.abs(b))
    largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(largest, error)
  }
  return largest
}

/** max|a − b| / max|b| over all elements; infinite when a value is not a number or the lengths differ. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  let [difference, largest] = [0, 0]
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(found[i] - expected[i])
    if (Number.isNaN(error)) return Number.POSITIVE_INFINITY
    difference = Math.max(difference, error)
    largest = Math.max(largest, Math.abs(expected[i]))
  }
  return difference === 0 ? 0 : difference / largest
}
