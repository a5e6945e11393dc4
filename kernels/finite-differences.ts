/** d/dxᵢ of Σⱼ weightsⱼ · f(x)ⱼ by central differences in float64, to test a written gradient. */
export function finiteDifferences(
  f: (x: readonly number[]) => ArrayLike<number>,
  x: ArrayLike<number>,
  weights: ArrayLike<number>,
  step = 1e-5,
): number[] {
  const total = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((sum, value, i) => sum + value * weights[i], 0)
  return Array.from(x, (value, i) => {
    const moved = Array.from(x)
    moved[i] = value + step
    const above = total(f(moved))
    moved[i] = value - step
    return (above - total(f(moved))) / (2 * step)
  })
}
