// Conversions between numbers and IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits.

/** Largest finite float32. */
export const largestFloat32 = (2 - 2 ** -23) * 2 ** 127

/** Largest finite float16. Values outside the range are stored as this, with their sign. */
export const largestFloat16 = 65504

/** The value of a float16 given by its bits. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction)
}

/** The values of many float16, looked up in a table of all 65,536. */
export function fromFloat16Bits(halves: Uint16Array): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => fromFloat16(bits))
  const values = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i]]
  return values
}

let table: Float32Array<ArrayBuffer> | undefined

/** The bits of the float16 nearest to each value, ties to even; outside the range, of the largest finite one. NaN stays NaN. */
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

/** As `toFloat16Bits`, of one value. */
export const toFloat16 = (value: number): number => toFloat16Bits(Float32Array.of(value))[0]

/** The value of the float16 nearest to `value`. */
export const roundToFloat16 = (value: number): number => fromFloat16(toFloat16(value))
