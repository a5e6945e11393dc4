/** A number in at most four significant digits. */
export const number = (value: number): string => {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value)
  const size = Math.abs(value)
  return size < 1e-3 || size >= 1e6 ? value.toExponential(2) : String(Number(value.toPrecision(4)))
}

/** The curve as a line of characters, for a terminal. */
export function sparkline(values: readonly number[], width = 40): string {
  if (values.length === 0) return ''
  const cells = Array.from(
    { length: Math.min(width, values.length) },
    (_, i, { length } = { length: Math.min(width, values.length) }) => {
      const part = values.slice(
        Math.floor((i * values.length) / length),
        Math.floor(((i + 1) * values.length) / length),
      )
      return part.reduce((sum, value) => sum + value, 0) / part.length
    },
  )
  const [low, high] = [Math.min(...cells), Math.max(...cells)]
  return cells.map(value => bars[high === low ? 3 : Math.round(((value - low) / (high - low)) * 7)]).join('')
}

const bars = '▁▂▃▄▅▆▇█'
