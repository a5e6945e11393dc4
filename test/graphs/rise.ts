/** How many standard errors the mean of the second list is above that of the first. */
export function rise(before: readonly number[], after: readonly number[]): number {
  const [one, two] = [before, after].map(values => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    return { mean, error: squares / (values.length - 1) / values.length }
  })
  return ((two?.mean ?? 0) - (one?.mean ?? 0)) / Math.sqrt((one?.error ?? 0) + (two?.error ?? 0))
}
