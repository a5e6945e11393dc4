// Matrices as integers of 4 or 8 bits, with a scale and a zero for each group of neighbours in a row:
//
//   element = scale · (integer − zero)
//
//   row 0   │ group 0: groupSize integers │ group 1 … │ the last may be shorter     integers   words of 32 bits, low bits first
//   row 1   │ …                                                                     groups     a word: float16 scale │ zero · 2¹⁶
//
// It is what checkpoints of AWQ (Lin et al., arXiv:2306.00978) and GPTQ (Frantar et al., arXiv:2210.17323) say of a matrix, in
// the order in which products read it. With groups of 128, an element takes 4.25 or 8.25 bits.

import { fromFloat16Bits, toFloat16 } from '../device/float16.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'

/** How a matrix is held as integers. */
export interface IntegerFormat {
  readonly bits: 4 | 8
  /** Neighbours in a row that share a scale: a multiple of 8. */
  readonly groupSize: number
}

/** A matrix of frozen weights as integers. */
export interface IntegerMatrix extends IntegerFormat {
  /** (rows, columns) of the matrix; 8 divides the columns. */
  readonly shape: readonly number[]
  /** u32 (rows, words of a row) */
  readonly integers: Tensor
  /** u32 (rows, groups of a row) */
  readonly groups: Tensor
}

/** Words of a row's integers, and of its groups. */
export function rowWords(columns: number, { bits, groupSize }: IntegerFormat) {
  if (columns % 8 !== 0 || groupSize % 8 !== 0)
    throw new Error(`integers: 8 must divide columns and groups, got ${columns} in groups of ${groupSize}`)
  return { integers: (columns * bits) / 32, groups: Math.ceil(columns / groupSize) }
}

/** WGSL of four neighbours; the binding of the matrix is read by the caller. */
export const integersWgsl = ({ bits }: Pick<IntegerFormat, 'bits'>): string => `
// The four integers of a word from number \`first\` on, each plus 2²³: float32 that hold it exactly, without a conversion.
fn integers_of(word: u32, first: u32) -> vec4f {
  let shifted = vec4u(word) >> (vec4u(0u, ${bits}u, ${2 * bits}u, ${3 * bits}u) + first * ${bits}u);
  return bitcast<vec4f>((shifted & vec4u(${2 ** bits - 1}u)) | vec4u(0x4b000000u));
}
fn scale_of(group: u32) -> f32 { return unpack2x16float(group).x; }
// Plus 2²³ as well, so that the difference is exact.
fn zero_of(group: u32) -> f32 { return 8388608.0 + f32(group >> 16u); }
`

/** The words of a matrix. */
export interface IntegerWords {
  integers: Uint32Array<ArrayBuffer>
  groups: Uint32Array<ArrayBuffer>
}

/**
 * Rounds a matrix to the nearest integers: the range of a group, with 0 in it, is divided into 2^bits − 1 steps of a scale that
 * float16 holds.
 */
export function quantiseReference(
  values: ArrayLike<number>,
  [rows = 0, columns = 0]: readonly number[],
  format: IntegerFormat,
): IntegerWords {
  const { bits, groupSize } = format
  const words = rowWords(columns, format)
  const integers = new Uint32Array(rows * words.integers)
  const groups = new Uint32Array(rows * words.groups)
  const most = 2 ** bits - 1
  for (let row = 0; row < rows; row++)
    for (let group = 0; group < words.groups; group++) {
      const [first, end] = [group * groupSize, Math.min((group + 1) * groupSize, columns)]
      const own = Array.from({ length: end - first }, (_, i) => values[row * columns + first + i])
      const [low, high] = [Math.min(0, ...own), Math.max(0, ...own)]
      const bitsOfScale = toFloat16((high - low) / most)
      const [scale = 0] = fromFloat16Bits(Uint16Array.of(bitsOfScale))
      const step = scale || 1
      const zero = Math.min(most, Math.round(-low / step))
      groups[row * words.groups + group] = bitsOfScale | (zero << 16)
      for (const [i, value] of own.entries()) {
        const integer = Math.min(most, Math.max(0, Math.round(value / step) + zero))
        const at = (first + i) * bits
        integers[row * words.integers + (at >> 5)] |= integer << (at & 31)
      }
    }
  return { integers, groups }
}

/** The elements of a matrix as plain loops. */
export function dequantiseReference(
  { integers, groups }: { integers: ArrayLike<number>; groups: ArrayLike<number> },
  shape: readonly number[],
  format: IntegerFormat,
): Float32Array<ArrayBuffer> {
  const { bits, groupSize } = format
  const [, columns = 0] = shape
  const words = rowWords(columns, format)
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns]
    const group = groups[row * words.groups + Math.floor(column / groupSize)]
    const at = column * bits
    const integer = (integers[row * words.integers + (at >> 5)] >>> (at & 31)) & (2 ** bits - 1)
    const [scale = 0] = fromFloat16Bits(Uint16Array.of(group & 0xffff))
    return scale * (integer - (group >>> 16))
  })
}
