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

/** The nearest float16 of each value as bits, ties to even; beyond the range, the largest finite one. NaN stays NaN. */
export function toFloat16Bits(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(words.length)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]
    const sign = (word >>> 16) & 0x8000
    const magnitude = word & 0x7fffffff
    if (magnitude > 0x7f800000) halves[i] = 0x7e00
    else if (magnitude >= 0x477ff000) halves[i] = sign | 0x7bff
    else if (magnitude >= 0x38800000)
      halves[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
    else halves[i] = sign | subnormal(magnitude)
  }
  return halves
}

/** A float32 below 2⁻¹⁴, given by its bits, in units of 2⁻²⁴. */
function subnormal(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23)
  if (shift > 24) return 0
  const fraction = (magnitude & 0x7fffff) | 0x800000
  const floor = fraction >>> shift
  const rest = fraction - floor * 2 ** shift
  const half = 2 ** (shift - 1)
  return rest > half || (rest === half && floor % 2 === 1) ? floor + 1 : floor
}

export const toFloat16 = (value: number): number => toFloat16Bits(Float32Array.of(value))[0]
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
