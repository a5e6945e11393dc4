import { fromFloat16Bits, toFloat16 } from '../../../kernels/device/float16.ts'

/** Element types that a checkpoint's weights may have, by their safetensors name. */
export type FloatFormat = 'F32' | 'F16' | 'BF16'

export const bytesPerElement = { F32: 4, F16: 2, BF16: 2 } as const satisfies Record<FloatFormat, number>

export const isFloatFormat = (name: string): name is FloatFormat => name in bytesPerElement

/** Little-endian elements widened to float32, which holds each of them exactly. `bytes` is a whole number of elements. */
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, format: FloatFormat): Float32Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  if (format === 'F32') return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2)
  if (format === 'F16') return fromFloat16Bits(halves)
  const words = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] ?? 0) << 16
  return new Float32Array(words.buffer)
}

/**
 * Float32 values as little-endian elements: F32 as they are, BF16 and F16 rounded to nearest, ties to even; NaN stays
 * NaN. What is beyond the range of F16 becomes its largest number.
 */
export function fromFloat32(values: Float32Array, format: FloatFormat): Uint8Array {
  if (format === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  if (format === 'F16') return new Uint8Array(Uint16Array.from(values, toFloat16).buffer)
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0
    // Rounding would carry the payload of a NaN into the sign: set its quiet bit instead.
    halves[i] =
      (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return new Uint8Array(halves.buffer)
}
