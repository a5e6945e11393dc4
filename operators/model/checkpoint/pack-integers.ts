import { at } from '../../../engine/shared/at.ts'
import { type IntegerWords, rowWords } from '../../../kernels/weights/integers.ts'
import type { Packing } from '../../../kernels/weights/packed-rows.ts'
import type { Shape } from '../parts/part.ts'

/** The contents of a weight's tensors in a checkpoint of integers. */
export interface PackedTensors {
  integers: Uint32Array<ArrayBuffer>
  zeros: Uint32Array<ArrayBuffer>
  /** The bits of float16. */
  scales: Uint16Array<ArrayBuffer>
  /** The group of each input. */
  order: Uint32Array<ArrayBuffer>
}

/** The place in a word of AWQ of each of 8 outputs. */
const placesOfAwq = [0, 4, 1, 5, 2, 6, 3, 7]

/**
 * The integers of a matrix (outputs, inputs) in the layout of AWQ or GPTQ; see kernels/weights/packed-rows.ts. The numbers of a word
 * divide the outputs.
 */
export function packIntegers(
  words: IntegerWords,
  [outputs = 0, inputs = 0]: Shape,
  packing: Packing,
): PackedTensors {
  const { method, bits, groupSize, zeroOffset } = packing
  const each = 32 / bits
  const ofRow = rowWords(inputs, packing)
  const columns = outputs / each
  const isAwq = method === 'awq'
  const integers = new Uint32Array((inputs * outputs) / each)
  const zeros = new Uint32Array(ofRow.groups * columns)
  const scales = new Uint16Array(ofRow.groups * outputs)
  for (let output = 0; output < outputs; output++) {
    const column = Math.floor(output / each)
    const shift = (isAwq ? at(placesOfAwq, output % 8) : output % each) * bits
    for (let group = 0; group < ofRow.groups; group++) {
      const word = at(words.groups, output * ofRow.groups + group)
      scales[group * outputs + output] = word & 0xffff
      const to = group * columns + column
      zeros[to] = at(zeros, to) | ((((word >>> 16) - zeroOffset) & (2 ** bits - 1)) << shift)
    }
    for (let i = 0; i < ofRow.integers; i++) {
      const word = at(words.integers, output * ofRow.integers + i)
      if (!isAwq) integers[i * outputs + output] = word
      else
        for (let j = 0; j < 8; j++) {
          const to = (i * 8 + j) * columns + column
          integers[to] = at(integers, to) | (((word >>> (j * 4)) & 15) << shift)
        }
    }
  }
  const order = Uint32Array.from({ length: inputs }, (_, input) => Math.floor(input / groupSize))
  return { integers, zeros, scales, order }
}
