import type { Device } from '../../kernels/device/device.ts'
import {
  dequantiseReference,
  type IntegerFormat,
  type IntegerMatrix,
  quantiseReference,
  rowWords,
} from '../../kernels/weights/integers.ts'
import { given, noise } from './support.ts'

/** Formats whose groups are longer, as long, and shorter than the rows of tests, and divide them or not. */
export const integerFormats: readonly IntegerFormat[] = [
  { bits: 4, groupSize: 32 },
  { bits: 4, groupSize: 24 },
  { bits: 8, groupSize: 128 },
  { bits: 8, groupSize: 16 },
]

/** A matrix of noise as integers on the GPU, and its elements. */
export function integerMatrix(
  device: Device,
  shape: readonly number[],
  format: IntegerFormat,
  seed = 1,
): { matrix: IntegerMatrix; elements: Float32Array<ArrayBuffer> } {
  const [rows = 0, columns = 0] = shape
  const words = quantiseReference(noise(rows * columns, seed), shape, format)
  const ofRow = rowWords(columns, format)
  const matrix = {
    ...format,
    shape,
    integers: given(device, [rows, ofRow.integers], words.integers),
    groups: given(device, [rows, ofRow.groups], words.groups),
  }
  return { matrix, elements: dequantiseReference(words, shape, format) }
}
