/** Largest finite float16. What would leave the range is stored as this, with its sign. */
export const largestFloat16 = 65504

/** The value of an IEEE half given by its bits: 1 sign, 5 exponent (bias 15), 10 fraction. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction)
}

/** The nearest float16 as bits, ties to even; beyond the range, the largest finite one. NaN stays NaN. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.min(Math.abs(value), largestFloat16)
  if (magnitude === 0) return sign
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)))
  const scaled = magnitude / 2 ** (exponent - 10)
  const floor = Math.floor(scaled)
  const rest = scaled - floor
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
  // A fraction that rounds up to 2048 carries into the exponent by itself; below 1024 it is subnormal.
  return sign | Math.min((exponent + 14) * 1024 + rounded, 0x7bff)
}
