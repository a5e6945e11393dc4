/** The nearest float16 value, ties to even, as a number; beyond its range, infinity. */
export function roundToFloat16(x: number): number {
  const magnitude = Math.abs(x)
  if (!Number.isFinite(x) || x === 0) return x
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)))
  const step = 2 ** (exponent - 10)
  const scaled = x / step
  const floor = Math.floor(scaled)
  const rest = scaled - floor
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0)
  const rounded = (up ? floor + 1 : floor) * step
  return Math.abs(rounded) > 65504 ? Math.sign(x) * Number.POSITIVE_INFINITY : rounded
}
