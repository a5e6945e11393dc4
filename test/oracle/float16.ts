/** The IEEE half nearest to x, ties to even, as its 16 bits; beyond the range, infinity. */
export function float16Bits(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0
  const magnitude = Math.abs(x)
  if (magnitude >= 65520) return sign | 0x7c00
  // Below 2^-14 the numbers lie as close together as just above it.
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude))
  const units = halfToEven(magnitude / 2 ** (exponent - 10))
  // A carry out of the fraction raises the exponent by itself; subnormals have no implicit 1024.
  return sign | ((exponent + 14) * 1024 + units)
}

/** x rounded to a half. */
export function float16Value(x: number): number {
  const bits = float16Bits(x)
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff]
  if (exponent === 31) return x < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const magnitude = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24
  return bits & 0x8000 ? -magnitude : magnitude
}

function halfToEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2) ? floor + 1 : floor
}
